"""The statement that is signed: in-toto Statement v1 with a SLSA Provenance v1 predicate.

Its subjects are the model's files; what was exported beside them are byproducts. The build is the whole pipeline, from
raw files to the model, so every artifact on the way is a resolved dependency.
"""

from collections.abc import Mapping
from typing import Any

from stemma.export.identity import SOFTWARE, artifact_urn, raw_file_urn, timestamp
from stemma.export.outside import Fetched, RawFile
from stemma.export.story import Made, Story

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = f"{SOFTWARE}:build:dvc-pipeline:v1"
BUILDER = f"{SOFTWARE}:builder:flow:v1"

Descriptor = dict[str, Any]


def statement(story: Story, files: Mapping[str, str], beside: Mapping[str, str]) -> dict[str, Any]:
    """The statement about the model's files, with the sha256 of each of them and of each file beside them."""
    return {
        "_type": STATEMENT,
        "subject": _descriptors(files),
        "predicateType": PREDICATE,
        "predicate": {"buildDefinition": _build(story), "runDetails": _run(story, beside)},
    }


def artifacts(told: Mapping[str, Any]) -> set[str]:
    """The DVC ids of every artifact and raw input that a statement names."""
    build = told["predicate"]["buildDefinition"]
    named = {found["annotations"].get("dvcId") for found in build["resolvedDependencies"]}
    return {*(named - {None}), build["externalParameters"]["artifact"]}


def _build(story: Story) -> dict[str, Any]:
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {
            "model": story.told.title,
            "artifact": story.told.family.root,
            "flow": story.run.flow,
            "stages": [_stage(made) for made in story.made.values()],
        },
        "resolvedDependencies": [
            *(_ancestor(made) for made in story.made.values() if made is not story.model),
            *(_raw_input(story, dvc_id) for dvc_id in story.raw),
            *(_raw_file(file) for files in story.raw.values() for file in files),
            *(_fetched(fetched) for fetched in story.fetched),
            *_code(story),
        ],
    }


def _run(story: Story, beside: Mapping[str, str]) -> dict[str, Any]:
    versions = {library.name: library.version for library in story.libraries if library.name in {"dvc", "prefect"}}
    return {
        "builder": {"id": BUILDER, "version": versions},
        "metadata": {
            "invocationId": f"{story.run.name}@{story.run.commit}",
            "finishedOn": timestamp(story.run.created),
        },
        "byproducts": _descriptors(beside),
    }


def _descriptors(files: Mapping[str, str]) -> list[Descriptor]:
    return [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in sorted(files.items())]


def _stage(made: Made) -> dict[str, Any]:
    fact = made.fact
    return {
        "stage": fact.name,
        "artifact": fact.dvc_id,
        "run": made.run.name,
        "command": fact.command,
        "settings": made.settings,
    }


def _ancestor(made: Made) -> Descriptor:
    """An artifact stands for its manifest, which has the sha256 of each of its files."""
    return {
        "name": f"artifacts/{made.fact.name}/manifest.json",
        "uri": artifact_urn(made.fact.dvc_id),
        "digest": {"sha256": made.sha256},
        "annotations": {"dvcId": made.fact.dvc_id, "size": made.fact.size, "run": made.run.name},
    }


def _raw_input(story: Story, dvc_id: str) -> Descriptor:
    """A raw input is a list of files, and DVC's id is all that stands for the list."""
    member = story.told.family.members[dvc_id]
    return {
        "name": member.name,
        "uri": artifact_urn(dvc_id),
        "annotations": {"dvcId": dvc_id, "size": member.size},
    }


def _raw_file(file: RawFile) -> Descriptor:
    return {
        "name": file.path,
        "uri": raw_file_urn(file.md5),
        "digest": {"sha256": file.sha256, "md5": file.md5},
        "annotations": {"size": file.size},
    }


def _fetched(fetched: Fetched) -> Descriptor:
    if fetched.purl:
        return {"uri": fetched.purl, "digest": {"gitCommit": fetched.revision}, "annotations": {}}
    return {"name": fetched.model, "digest": {"stemmaContent": fetched.revision}, "annotations": {}}


def _code(story: Story) -> list[Descriptor]:
    made_with: dict[str, list[str]] = {}
    for made in story.made.values():
        made_with.setdefault(made.code, []).append(made.fact.name)
    return [
        {"name": "code", "digest": {"gitCommit": commit}, "annotations": {"stages": stages}}
        for commit, stages in made_with.items()
    ]
