"""OpenLineage events: one COMPLETE event for each run of a stage, with the artifacts that went in and came out."""

from collections.abc import Iterable, Mapping
from typing import Any

from stemma.export.identity import SOFTWARE, timestamp, uuid_of
from stemma.export.story import Made, Story

CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs"
FACETS = "https://openlineage.io/spec/facets"
NAMESPACE = "stemma"
"""Of jobs and datasets alike: a project has no address that is the same on every machine."""

Facet = dict[str, Any]


def events(story: Story) -> list[dict[str, Any]]:
    """The events in the order in which the stages ran, the first ones first."""
    return [_event(story, made) for made in reversed(story.made.values())]


def artifacts(told: Iterable[Mapping[str, Any]]) -> set[str]:
    """The DVC ids of every artifact and raw input that events name."""
    datasets = [dataset for event in told for dataset in (*event["inputs"], *event["outputs"])]
    return {dataset["facets"]["version"]["datasetVersion"] for dataset in datasets}


def run_of(made: Made) -> str:
    """The UUID of the run of the stage that made an artifact."""
    return uuid_of("stage", made.run.commit, made.fact.name, made.fact.dvc_id)


def _event(story: Story, made: Made) -> dict[str, Any]:
    members = story.told.family.members
    inputs = [members[parent] for parent in members[made.fact.dvc_id].parents]
    vouched = _facet(f"{CORE}/OutputDatasetFacet", size=made.fact.size, manifestSha256=made.sha256)
    output = _dataset(made.fact.name, made.fact.dvc_id)
    return {
        "eventType": "COMPLETE",
        "eventTime": timestamp(made.run.created),
        "producer": SOFTWARE,
        "schemaURL": f"{CORE}/RunEvent",
        "run": {"runId": run_of(made), "facets": {"parent": _parent(made), "stemma_stage": _stage(made)}},
        "job": {"namespace": NAMESPACE, "name": f"{made.run.flow}.{made.fact.name}"},
        "inputs": [_dataset(member.name, member.dvc_id) for member in inputs],
        "outputs": [{**output, "outputFacets": {"stemma_artifact": vouched}}],
    }


def _parent(made: Made) -> Facet:
    """The flow run that the stage was part of."""
    return _facet(
        f"{FACETS}/1-0-1/ParentRunFacet.json#/$defs/ParentRunFacet",
        run={"runId": uuid_of("run", made.run.commit)},
        job={"namespace": NAMESPACE, "name": made.run.flow},
    )


def _stage(made: Made) -> Facet:
    return _facet(
        f"{CORE}/RunFacet",
        run=made.run.name,
        commit=made.run.commit,
        code=made.code,
        command=made.fact.command,
        settings=made.settings,
        labellers=made.fact.labellers,
    )


def _dataset(name: str, dvc_id: str) -> dict[str, Any]:
    schema = f"{FACETS}/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
    return {"namespace": NAMESPACE, "name": name, "facets": {"version": _facet(schema, datasetVersion=dvc_id)}}


def _facet(schema: str, **content: Any) -> Facet:
    return {"_producer": SOFTWARE, "_schemaURL": schema, **content}
