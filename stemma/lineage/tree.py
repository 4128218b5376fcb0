"""The family tree of an artifact, read from a run's dvc.lock."""

from dataclasses import dataclass

from stemma.lineage.dvc import LockEntry
from stemma.lineage.runs import artifact_id


@dataclass(frozen=True)
class Member:
    """One artifact of a family."""

    name: str
    dvc_id: str
    size: int
    """Bytes."""
    stage: str
    """The stage that made it, or empty for a raw input."""
    parents: tuple["Member", ...]


def family_tree(lock: dict[str, LockEntry], stage: str) -> Member:
    """The artifact of a stage, with all that it was made from."""
    entry = lock[stage]
    parents = []
    for dep in entry.get("deps", []):
        name = dep["path"].removeprefix("artifacts/")
        if name in lock:
            parents.append(family_tree(lock, name))
        elif dep["path"] == "inputs":
            parents.append(Member("inputs", dep["md5"], dep.get("size", 0), "", ()))
    size = next(out.get("size", 0) for out in entry["outs"] if out["path"].startswith("artifacts/"))
    return Member(stage, artifact_id(entry), size, stage, tuple(parents))


def tree_lines(member: Member) -> list[str]:
    """Draw a tree, an artifact a line; what is drawn already is named again but not unfolded."""
    return _lines(member, "", "", set())


def _lines(member: Member, first: str, rest: str, seen: set[str]) -> list[str]:
    again = member.name in seen and bool(member.parents)
    seen.add(member.name)
    lines = [f"{first}{member.name:<8} {member.dvc_id[:10]}  {_size(member.size):>9}" + ("  (above)" if again else "")]
    if again:
        return lines
    for parent in member.parents[:-1]:
        lines += _lines(parent, f"{rest}├── ", f"{rest}│   ", seen)
    for parent in member.parents[-1:]:
        lines += _lines(parent, f"{rest}└── ", f"{rest}    ", seen)
    return lines


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
