"""Where a family is first broken, and which live models that touches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stemma.lineage.family import Member
from stemma.verification.fault import IN_MLFLOW, Fault, Kind
from stemma.verification.subject import Subject

VIEWS = IN_MLFLOW | {Kind.SERVED_LINK, Kind.SERVED_FILE, Kind.WORKING_TREE, Kind.GIT_REMOTE, Kind.INDEX}
"""What is wrong with these breaks no edge: the artifact and its record are as they were."""


@dataclass(frozen=True)
class BrokenEdge:
    """The broken artifact that is nearest to raw data, and what was made from it first."""

    parent: Member
    child: Member | None
    """None where the model itself is broken and nothing else."""

    @property
    def words(self) -> str:
        """The edge in a line."""
        broken = f"{self.parent.name} {self.parent.dvc_id}"
        return f"{broken} → {self.child.name} {self.child.dvc_id}" if self.child else broken


@dataclass(frozen=True)
class Live:
    """An alias, and the model that it points at."""

    name: str
    """`policy@champion`."""
    version: str
    """`policy/7`."""
    artifact: str


def first_broken_edge(subject: Subject, faults: Iterable[Fault]) -> BrokenEdge | None:
    """The first broken edge, seen from raw data; None where no artifact or record is broken."""
    broken = {fault.artifact: fault for fault in faults if fault.kind not in VIEWS}
    for member in subject.members:
        if member.dvc_id in broken:
            child = subject.family.members.get(broken[member.dvc_id].child)
            children = [other for other in subject.members if member.dvc_id in other.parents]
            return BrokenEdge(member, child or next(iter(children), None))
    return None


def touched(subject: Subject, faults: Sequence[Fault], listings: Mapping[str, Mapping[str, str]]) -> list[Live]:
    """The aliases whose model is, or came from, something broken; what is wrong with a view touches its own model only.

    One object can be part of several artifacts, and all of them are broken with it.
    """
    live = live_models(subject)
    objects = {fault.oid for fault in faults} - {""}
    broken = {fault.artifact for fault in faults if fault.kind not in VIEWS} - {""}
    broken |= {artifact for artifact, files in listings.items() if objects & set(files.values())}
    reached = {fault.artifact for fault in faults}
    if broken and live:
        reached |= broken.union(found.artifact for found in subject.index.descendants(broken))
    return [model for model in live if model.artifact in reached]


def live_models(subject: Subject) -> list[Live]:
    """Every alias of every registered model."""
    return [
        Live(f"{model.now.name}@{alias}", f"{model.now.name}/{number}", model.now.versions[number].artifact)
        for model in subject.all_registered
        for alias, number in sorted(model.now.aliases.items())
        if number in model.now.versions
    ]
