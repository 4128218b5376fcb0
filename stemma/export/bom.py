"""The bill of materials: a CycloneDX 1.6 ML-BOM of the model, the artifacts on the way, raw files and libraries."""

from collections.abc import Mapping
from typing import Any

from stemma.export.identity import SOFTWARE, artifact_urn, raw_file_urn, timestamp, uuid_of
from stemma.export.libraries import Library
from stemma.export.numbers import Number
from stemma.export.outside import Fetched, RawFile
from stemma.export.story import MODELS, Made, Story
from stemma.export.words import SCORERS, kind, limits, uses

DVC_ID = "stemma:dvc-id"

Component = dict[str, Any]


def bill_of_materials(story: Story, files: Mapping[str, str]) -> dict[str, Any]:
    """The bill of materials of a model with these files, each with its sha256."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid_of('bom', story.run.commit, story.told.family.root)}",
        "version": 1,
        "metadata": {
            "timestamp": timestamp(story.run.created),
            "tools": {"components": [{"type": "application", "name": "stemma", "bom-ref": SOFTWARE}]},
            "component": _root(story, files),
        },
        "components": [
            *(_ancestor(made) for made in story.made.values() if made is not story.model),
            *(_raw_input(story, dvc_id) for dvc_id in story.raw),
            *(_raw_file(file) for file in _raw_files(story)),
            *(_fetched(fetched) for fetched in story.fetched),
            *(_library(library) for library in story.libraries),
        ],
        "dependencies": _dependencies(story),
    }


def artifacts(bom: Mapping[str, Any]) -> set[str]:
    """The DVC ids of every artifact and raw input that a bill of materials names."""
    components = [bom["metadata"]["component"], *bom["components"]]
    return {p["value"] for component in components for p in component.get("properties", []) if p["name"] == DVC_ID}


def _root(story: Story, files: Mapping[str, str]) -> Component:
    listed = [
        {"type": "file", "name": name, "hashes": [{"alg": "SHA-256", "content": sha256}]}
        for name, sha256 in sorted(files.items())
    ]
    card = {**_card(story.model, story), "quantitativeAnalysis": {"performanceMetrics": _metrics(story)}}
    card["considerations"] = {"useCases": uses(story), "technicalLimitations": limits(story)}
    return {
        **_component(story.model, story.told.title),
        "description": kind(story),
        "modelCard": card,
        "components": listed,
    }


def _ancestor(made: Made) -> Component:
    component = _component(made, made.fact.name)
    if made.is_model:
        return {**component, "modelCard": _card(made, None)}
    return {**component, "data": [{"type": "dataset", "name": made.fact.name}]}


def _component(made: Made, name: str) -> Component:
    fact = made.fact
    told = {
        DVC_ID: fact.dvc_id,
        "stemma:stage": fact.name,
        "stemma:run": made.run.name,
        "stemma:code": made.code,
        "stemma:manifest-sha256": made.sha256,
        "stemma:size": str(fact.size),
    }
    labellers = [{"name": "stemma:labeller", "value": f"{name}: {count}"} for name, count in fact.labellers.items()]
    return {
        "type": "machine-learning-model" if made.is_model else "data",
        "bom-ref": artifact_urn(fact.dvc_id),
        "name": name,
        "properties": [*({"name": key, "value": value} for key, value in told.items()), *labellers],
    }


def _card(made: Made, story: Story | None) -> dict[str, Any]:
    parameters: dict[str, Any] = {"approach": {"type": MODELS[made.fact.name]}, "task": _task(made.fact.name)}
    if story:
        data = [{"ref": artifact_urn(other.fact.dvc_id)} for other in story.made.values() if not other.is_model]
        parameters["datasets"] = data
    return {"modelParameters": parameters}


def _task(stage: str) -> str:
    return "text-classification" if stage in SCORERS else "text-generation"


def _metrics(story: Story) -> list[dict[str, Any]]:
    return [_metric(number) for number in story.numbers]


def _metric(number: Number) -> dict[str, Any]:
    metric = {
        "type": number.name,
        "value": str(number.value),
        "slice": " ".join(filter(None, [number.stage, number.split])),
    }
    if number.low is None or number.high is None:
        return metric
    return {**metric, "confidenceInterval": {"lowerBound": str(number.low), "upperBound": str(number.high)}}


def _raw_input(story: Story, dvc_id: str) -> Component:
    member = story.told.family.members[dvc_id]
    return {
        "type": "data",
        "bom-ref": artifact_urn(dvc_id),
        "name": member.name,
        "data": [{"type": "dataset", "name": member.name}],
        "properties": [{"name": DVC_ID, "value": dvc_id}, {"name": "stemma:size", "value": str(member.size)}],
    }


def _raw_file(file: RawFile) -> Component:
    return {
        "type": "data",
        "bom-ref": raw_file_urn(file.md5),
        "name": file.path,
        "hashes": [{"alg": "MD5", "content": file.md5}, {"alg": "SHA-256", "content": file.sha256}],
        "data": [{"type": "dataset", "name": file.path}],
    }


def _raw_files(story: Story) -> list[RawFile]:
    """Every raw file once, whatever it is called in other runs."""
    return list({file.md5: file for files in story.raw.values() for file in files}.values())


def _fetched(fetched: Fetched) -> Component:
    component = {"type": "machine-learning-model", "name": fetched.model, "version": fetched.revision}
    return {**component, "bom-ref": _fetched_ref(fetched), **({"purl": fetched.purl} if fetched.purl else {})}


def _fetched_ref(fetched: Fetched) -> str:
    return fetched.purl or f"{SOFTWARE}:folder:{fetched.revision}"


def _library(library: Library) -> Component:
    version = {"version": library.version} if library.version else {}
    return {"type": "library", "bom-ref": library.purl, "name": library.name, "purl": library.purl, **version}


def _dependencies(story: Story) -> list[dict[str, Any]]:
    members = story.told.family.members
    made_from = {dvc_id: [artifact_urn(parent) for parent in members[dvc_id].parents] for dvc_id in story.made}
    for dvc_id, files in story.raw.items():
        made_from[dvc_id] = [raw_file_urn(file.md5) for file in files]
    for dvc_id, made in story.made.items():
        made_from[dvc_id] += [_fetched_ref(fetched) for fetched in story.fetched if made.fetched == fetched]
    made_from[story.told.family.root] += [library.purl for library in story.libraries]
    return [{"ref": artifact_urn(dvc_id), "dependsOn": sorted(set(refs))} for dvc_id, refs in made_from.items()]
