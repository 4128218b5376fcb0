"""Which code two artifacts of a stage were made with that is not the same, and how far it changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stemma.errors import WorkspaceError
from stemma.lineage.clone import fetch_hint
from stemma.lineage.git import Git


@dataclass(frozen=True)
class CodeDiff:
    """One code file that changed, came or went."""

    path: str
    removed: int | None
    """Lines that only the first has; None where Git cannot count them, as in a binary file."""
    added: int | None
    """Lines that only the second has."""
    only: Literal["", "a", "b"]
    """The side that alone depends on it, or empty."""


def diff_code(root: Path, a: Mapping[str, str], b: Mapping[str, str], commits: tuple[str, str]) -> list[CodeDiff]:
    """The code files that differ, by their md5s; the two runs' experiments tell by how many lines.

    Raises WorkspaceError where one of these commits is not in this clone.
    """
    paths = [path for path in dict.fromkeys([*a, *b]) if a.get(path) != b.get(path)]
    if not paths:
        return []
    try:
        listed = Git(root).run("diff", "--numstat", "--no-renames", "-z", *commits, "--", *paths)
    except WorkspaceError as error:
        raise WorkspaceError(f"the code of two runs cannot be compared: {error}{fetch_hint(root)}") from None
    counted = {}
    for line in listed.strip("\0").split("\0"):
        if line:
            added, removed, path = line.split("\t", 2)
            counted[path] = (_number(removed), _number(added))
    return [CodeDiff(path, *counted.get(path, (0, 0)), _only(path in a, path in b)) for path in paths]


def _only(in_a: bool, in_b: bool) -> Literal["", "a", "b"]:
    if in_a and in_b:
        return ""
    return "a" if in_a else "b"


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)
