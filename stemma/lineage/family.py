"""The family of an artifact: everything that it was made from, back to the raw data, across runs."""

from dataclasses import dataclass, replace

from stemma.lineage.index import Derivation, Index
from stemma.lineage.names import Model
from stemma.lineage.placeholders import asked_nobody, is_placeholder, used_params
from stemma.lineage.runs import Run


@dataclass(frozen=True)
class Member:
    """One artifact or raw input of a family."""

    name: str
    """The stage that made it, or a raw input's path."""
    dvc_id: str
    size: int
    """Bytes."""
    derivation: Derivation | None
    """How it came about; None for a raw input."""
    run: Run | None
    """The run in whose record that stands."""
    parents: tuple[str, ...]
    """DVC ids of what it was made from, in the order of dvc.yaml."""
    is_placeholder: bool = False
    """Whether it holds nothing: a folder with only a README, or the artifact of an ai_label that asked no judge."""


@dataclass(frozen=True)
class Family:
    """An artifact and its ancestors, nearest first."""

    root: str
    """The artifact's DVC id."""
    members: dict[str, Member]

    def shown(self) -> "Family":
        """The family as people read it: without placeholders, and without what went into nothing else."""
        members: dict[str, Member] = {}
        waiting = [self.root]
        while waiting:
            member = self.members[waiting.pop(0)]
            if member.dvc_id not in members:
                parents = tuple(parent for parent in member.parents if not self.members[parent].is_placeholder)
                members[member.dvc_id] = replace(member, parents=parents)
                waiting += parents
        return Family(self.root, {dvc_id: members[dvc_id] for dvc_id in self.members if dvc_id in members})

    def code(self) -> dict[str, str]:
        """The md5 of every code file that a member was made with, by path."""
        return {
            dep["path"]: dep["md5"]
            for member in self.members.values()
            if member.derivation
            for dep in member.derivation.entry.get("deps", [])
        }


def family_of(index: Index, model: Model) -> Family:
    """The family of a model, as its own run's record tells it; what another run made, as that run's record does."""
    members: dict[str, Member] = {}
    waiting: list[tuple[Derivation, Run]] = [(model.derivation, model.run)]
    runs: dict[str, dict[str, Derivation]] = {}
    while waiting:
        derivation, run = waiting.pop(0)
        if derivation.artifact in members:
            continue
        own = runs.setdefault(run.commit, {d.artifact: d for d in index.of_run(run.commit).values()})
        inputs = [dep for dep in index.inputs(derivation) if not dep.is_code]
        raw = {dep["md5"]: dep for dep in derivation.entry["deps"]}
        members[derivation.artifact] = Member(
            derivation.stage,
            derivation.artifact,
            derivation.size,
            derivation,
            run,
            tuple(dep.md5 for dep in inputs),
            asked_nobody(derivation.stage, used_params(derivation.entry)),
        )
        for dep in inputs:
            made = own.get(dep.md5)
            if made:
                waiting.append((made, run))
            elif elsewhere := index.of_artifact(dep.md5):
                waiting.append((elsewhere[0], index.oldest_with(elsewhere[0])))
            else:
                is_empty = is_placeholder(index, run, raw[dep.md5])
                members[dep.md5] = Member(dep.path, dep.md5, dep.size, None, None, (), is_empty)
    return Family(model.derivation.artifact, members)


NAME_WIDTH = 8
"""Columns for an artifact's name, where those beside it are no longer."""


def tree_lines(family: Family) -> list[str]:
    """Draw a family, an artifact a line; what is drawn already is named again but not unfolded."""
    lines: list[str] = []
    seen: set[str] = set()
    waiting = [(family.root, "", "", NAME_WIDTH)]
    while waiting:
        dvc_id, first, rest, width = waiting.pop()
        member = family.members[dvc_id]
        again = dvc_id in seen and bool(member.parents)
        seen.add(dvc_id)
        size = size_text(member.size)
        lines.append(f"{first}{member.name:<{width}} {dvc_id[:10]}  {size:>9}" + ("  (above)" if again else ""))
        if not again:
            width = max(NAME_WIDTH, *(len(family.members[parent].name) for parent in member.parents), 0)
            branches = [(parent, f"{rest}├── ", f"{rest}│   ", width) for parent in member.parents[:-1]]
            branches += [(parent, f"{rest}└── ", f"{rest}    ", width) for parent in member.parents[-1:]]
            waiting += reversed(branches)
    return lines


def size_text(count: int) -> str:
    """A number of bytes, for people."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
