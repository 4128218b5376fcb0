"""Which rows two datasets do not share, file by file; the order of rows does not count."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from stemma.errors import ArtifactError
from stemma.lineage.row_files import RowFile, RowFiles

SHOWN = 3
"""Rows shown of each side."""
WIDTH = 110
"""Characters of a row that are shown."""


@dataclass(frozen=True)
class RowDiff:
    """The rows of one file that only one of two datasets has."""

    file: str
    removed: int
    """Rows that only the first has."""
    added: int
    """Rows that only the second has; where both counts are 0 the rows stand in another order."""
    first_removed: tuple[str, ...] = ()
    """A few of them, as JSON."""
    first_added: tuple[str, ...] = ()
    unread: str = ""
    """Why the rows could not be compared, or empty."""


def diff_rows(files: RowFiles, a: Sequence[RowFile], b: Sequence[RowFile]) -> list[RowDiff]:
    """Compare two datasets' files of the same name; a file that one of them lacks counts as empty."""
    of_a, of_b = ({file.name: file for file in side} for side in (a, b))
    found = []
    for name in dict.fromkeys([*of_a, *of_b]):
        one, other = of_a.get(name), of_b.get(name)
        if one is None or other is None or one.md5 != other.md5:
            try:
                found.append(_compared(files, name, one, other))
            except ArtifactError as error:
                found.append(RowDiff(name, 0, 0, unread=str(error)))
    return found


def cut(row: str) -> str:
    """As much of a row as is shown to people."""
    return row if len(row) <= WIDTH else row[: WIDTH - 1] + "…"


def _compared(files: RowFiles, name: str, a: RowFile | None, b: RowFile | None) -> RowDiff:
    in_a, in_b = (Counter(map(_digest, _rows(files, side))) for side in (a, b))
    removed, added = in_a - in_b, in_b - in_a
    return RowDiff(
        name,
        removed.total(),
        added.total(),
        tuple(islice(_among(files, a, removed), SHOWN)),
        tuple(islice(_among(files, b, added), SHOWN)),
    )


def _among(files: RowFiles, file: RowFile | None, wanted: Counter[bytes]) -> Iterator[str]:
    """The rows of a file that are wanted, in its own order."""
    if wanted:
        yield from (row.decode("utf-8", "replace") for row in _rows(files, file) if _digest(row) in wanted)


def _rows(files: RowFiles, file: RowFile | None) -> Iterator[bytes]:
    return files.rows(file) if file else iter(())


def _digest(row: bytes) -> bytes:
    # Sixteen bytes for a row, so that millions of rows are compared in little memory.
    return blake2b(row, digest_size=16).digest()
