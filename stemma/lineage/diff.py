"""Why two models differ: the artifacts nearest to the raw data at which their trees part, and what is different there.

Both trees are walked from the models towards the data, and what stands in the same place of both is compared. Artifacts
whose inputs are the same on both sides, and which differ all the same, are where the trees part; what was made of them
differs because of that, and perhaps because of itself too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stemma.lineage.code_diff import CodeDiff, diff_code
from stemma.lineage.explain import flat
from stemma.lineage.family import Family, Member, family_of
from stemma.lineage.index import Index, is_data
from stemma.lineage.names import Model
from stemma.lineage.row_diff import RowDiff, diff_rows
from stemma.lineage.row_files import RowFile, RowFiles, may_hold_rows
from stemma.lineage.store import Store

Sides = dict[str, Any]
"""What the first and the second have, under `a` and `b`; a side that lacks it has no entry."""


@dataclass(frozen=True)
class Pair:
    """Two artifacts, or raw inputs, that stand in the same place of two trees."""

    a: Member
    b: Member
    commits: tuple[str, str]
    """The experiments that tell of them."""
    shared: tuple[tuple[str, str], ...] = ()
    """The ids of the inputs that stand in the same place of both."""


@dataclass(frozen=True)
class Difference:
    """What is different between two artifacts in the same place."""

    pair: Pair
    follows: tuple[str, ...]
    """The inputs that differ, by name; the trees part here where there are none."""
    settings: dict[str, Sides] = field(default_factory=dict)
    inputs: dict[str, Sides] = field(default_factory=dict)
    """Inputs that only one of them has: id by path."""
    code: list[CodeDiff] = field(default_factory=list)
    rows: list[RowDiff] = field(default_factory=list)
    unread: tuple[str, ...] = ()
    """Datasets whose files are nowhere here, so that their rows could not be compared."""

    @property
    def own(self) -> bool:
        """Whether anything differs but the inputs in the same place: settings, code, or which inputs there are."""
        return bool(self.settings or self.inputs or self.code or self.pair.a.name != self.pair.b.name)


@dataclass(frozen=True)
class Diff:
    """Two models, and what is different between them."""

    a: Model
    b: Model
    differences: tuple[Difference, ...]
    """What differs, nearest to the raw data first."""
    metrics: dict[str, Sides]
    """Every number of both runs."""

    @property
    def partings(self) -> list[Difference]:
        """Where the trees part."""
        return [one for one in self.differences if not one.follows]


def diff(root: Path, index: Index, store: Store, a: Model, b: Model) -> Diff:
    """Compare the trees of two models."""
    families = (family_of(index, a), family_of(index, b))
    files = RowFiles(root, store)
    pairs = _differing(*families, (a.run.commit, b.run.commit))
    metrics = _sides(_numbers(a), _numbers(b))
    return Diff(a, b, tuple(_difference(root, files, pair, families) for pair in pairs), metrics)


def _differing(a: Family, b: Family, commits: tuple[str, str]) -> list[Pair]:
    """The pairs of different artifacts in the same places, each after its inputs."""
    begun: dict[tuple[str, str], Pair] = {}
    found: dict[tuple[str, str], Pair] = {}
    waiting = [((a.root, b.root), commits)]
    while waiting:
        key, told_by = waiting[-1]
        if key[0] == key[1] or key in begun:
            waiting.pop()
            if key in begun:
                found.setdefault(key, begun[key])
            continue
        pair = begun[key] = _pair(a.members[key[0]], b.members[key[1]], told_by)
        waiting += [(ids, pair.commits) for ids in reversed(pair.shared) if ids not in begun]
    return list(found.values())


def _pair(a: Member, b: Member, commits: tuple[str, str]) -> Pair:
    of_a, of_b = _data(a), _data(b)
    own = (a.run.commit if a.run else commits[0], b.run.commit if b.run else commits[1])
    return Pair(a, b, own, tuple((of_a[path], of_b[path]) for path in of_a if path in of_b))


def _difference(root: Path, files: RowFiles, pair: Pair, families: tuple[Family, Family]) -> Difference:
    a, b = pair.a, pair.b
    listed = [_row_files(files, member, commit) for member, commit in ((a, pair.commits[0]), (b, pair.commits[1]))]
    return Difference(
        pair,
        follows=tuple(families[0].members[one].name for one, other in pair.shared if one != other),
        settings={key: sides for key, sides in _sides(_settings(a), _settings(b)).items() if _unlike(sides)},
        inputs={path: sides for path, sides in _sides(_data(a), _data(b)).items() if len(sides) == 1},
        code=diff_code(root, _code(a), _code(b), pair.commits),
        rows=diff_rows(files, listed[0] or [], listed[1] or []) if None not in listed else [],
        unread=tuple(member.dvc_id for member, found in zip((a, b), listed, strict=True) if found is None),
    )


def _row_files(files: RowFiles, member: Member, commit: str) -> list[RowFile] | None:
    """A member's files of rows; None where they are nowhere here."""
    if member.derivation is None:
        return files.of_raw(member.dvc_id, commit, member.name)
    return files.of_artifact(member.dvc_id) if may_hold_rows(member.name) else []


def _deps(member: Member) -> list[dict[str, Any]]:
    return member.derivation.entry["deps"] if member.derivation else []


def _data(member: Member) -> dict[str, str]:
    return {dep["path"]: dep["md5"] for dep in _deps(member) if is_data(dep["path"])}


def _code(member: Member) -> dict[str, str]:
    return {dep["path"]: dep["md5"] for dep in _deps(member) if not is_data(dep["path"])}


def _settings(member: Member) -> dict[str, Any]:
    """The command and the settings, as dotted keys."""
    if member.derivation is None:
        return {}
    entry = member.derivation.entry
    return {"cmd": entry["cmd"], **flat(entry.get("params", {}).get("params.yaml", {}))}


def _numbers(model: Model) -> dict[str, float]:
    metrics = model.run.metrics
    return {f"{stage} {name}": value for stage, numbers in metrics.items() for name, value in numbers.items()}


def _sides(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Sides]:
    """Two sets of values side by side."""
    return {
        key: {side: values[key] for side, values in (("a", a), ("b", b)) if key in values}
        for key in dict.fromkeys([*a, *b])
    }


def _unlike(sides: Sides) -> bool:
    return len(sides) == 1 or sides["a"] != sides["b"]
