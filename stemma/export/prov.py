"""W3C PROV-JSON: artifacts are entities, runs of stages are activities, annotators, people and software are agents."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from stemma.export.identity import ARTIFACT, SOFTWARE, timestamp
from stemma.export.openlineage import run_of
from stemma.export.story import Made, Story

ENTITY = "artifact:"
PREFIXES = {
    "stemma": f"{SOFTWARE}:",
    "artifact": ARTIFACT,
    "stage": "urn:uuid:",
    "agent": f"{SOFTWARE}:agent:",
}
ITSELF = "agent:stemma"

Record = dict[str, Any]


def document(story: Story) -> dict[str, Any]:
    """The family as a PROV document."""
    return {
        "prefix": PREFIXES,
        "entity": {_entity(dvc_id): _artifact(story, dvc_id) for dvc_id in story.told.family.members},
        "activity": {_activity(made): _stage(made) for made in story.made.values()},
        "agent": _agents(story),
        "used": _numbered("used", _used(story)),
        "wasGeneratedBy": _numbered("made", _made(story)),
        "wasDerivedFrom": _numbered("from", _derived(story)),
        "wasAssociatedWith": _numbered("with", _associated(story)),
        "wasAttributedTo": _numbered("by", _attributed(story)),
    }


def artifacts(told: Mapping[str, Any]) -> set[str]:
    """The DVC ids of every artifact and raw input that a PROV document names."""
    return {name.removeprefix(ENTITY) for name in told["entity"]}


def _entity(dvc_id: str) -> str:
    return f"{ENTITY}{dvc_id}"


def _activity(made: Made) -> str:
    return f"stage:{run_of(made)}"


def _labeller(name: str) -> str:
    return f"agent:labeller-{quote(name, safe='')}"


def _starter(name: str) -> str:
    return f"agent:author-{quote(name, safe='')}"


def _artifact(story: Story, dvc_id: str) -> Record:
    member, made = story.told.family.members[dvc_id], story.made.get(dvc_id)
    record: Record = {"prov:label": member.name, "stemma:dvcId": dvc_id, "stemma:size": member.size}
    if made is None:
        files = [f"{file.path} sha256:{file.sha256}" for file in story.raw[dvc_id]]
        return {**record, **({"stemma:files": files} if files else {})}
    return {**record, "stemma:kind": "model" if made.is_model else "data", "stemma:manifestSha256": made.sha256}


def _stage(made: Made) -> Record:
    return {
        "prov:label": f"{made.fact.name} of run {made.run.name}",
        "prov:endTime": timestamp(made.run.created),
        "stemma:command": made.fact.command,
        "stemma:code": made.code,
        "stemma:experiment": made.run.commit,
    }


def _agents(story: Story) -> dict[str, Record]:
    software = {"prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"}}
    agents: dict[str, Record] = {ITSELF: {"prov:label": "Stemma", **software}}
    for made in story.made.values():
        for name in made.fact.labellers:
            agents[_labeller(name)] = {"prov:label": name, **(software if made.simulated else {})}
        if made.author:
            agents[_starter(made.author)] = {"prov:label": made.author}
    return agents


def _used(story: Story) -> list[Record]:
    return [
        {"prov:activity": _activity(made), "prov:entity": _entity(parent)}
        for dvc_id, made in story.made.items()
        for parent in story.told.family.members[dvc_id].parents
    ]


def _made(story: Story) -> list[Record]:
    return [
        {
            "prov:entity": _entity(dvc_id),
            "prov:activity": _activity(made),
            "prov:time": timestamp(made.run.created),
        }
        for dvc_id, made in story.made.items()
    ]


def _derived(story: Story) -> list[Record]:
    return [
        {"prov:generatedEntity": _entity(dvc_id), "prov:usedEntity": _entity(parent), "prov:activity": _activity(made)}
        for dvc_id, made in story.made.items()
        for parent in story.told.family.members[dvc_id].parents
    ]


def _associated(story: Story) -> list[Record]:
    found = []
    for made in story.made.values():
        activity = {"prov:activity": _activity(made)}
        found.append({**activity, "prov:agent": ITSELF, "prov:role": "ran the stage"})
        if made.author:
            found.append({**activity, "prov:agent": _starter(made.author), "prov:role": "author of the run's record"})
        found += [{**activity, "prov:agent": _labeller(name), "prov:role": "labelled"} for name in made.fact.labellers]
    return found


def _attributed(story: Story) -> list[Record]:
    return [
        {"prov:entity": _entity(dvc_id), "prov:agent": _labeller(name), "stemma:verdicts": count}
        for dvc_id, made in story.made.items()
        for name, count in made.fact.labellers.items()
    ]


def _numbered(name: str, records: list[Record]) -> dict[str, Record]:
    return {f"_:{name}{number}": record for number, record in enumerate(records, 1)}
