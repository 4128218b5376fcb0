"""Which artifacts and raw inputs hold a row: every file with rows is read, from the DVC cache or its remote."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from stemma.errors import ArtifactError
from stemma.lineage.index import Index
from stemma.lineage.row_files import RowFile, RowFiles, may_hold_rows
from stemma.lineage.store import Store

SHA256_DIGITS = 64
PLAIN = re.compile(r"[A-Za-z0-9_.-]+")

Test = Callable[[Iterable[bytes]], bool]
"""Whether the rows of a file, a JSON text each, hold what is looked for."""


@dataclass(frozen=True)
class Held:
    """Where something was found."""

    artifacts: tuple[str, ...]
    """DVC ids."""
    unread: tuple[str, ...]
    """Artifacts and raw inputs that may hold it too, but whose bytes are nowhere here, or are damaged."""


def search(root: Path, index: Index, store: Store, test: Test) -> Held:
    """Read every file with rows that a run made or took in, and tell which artifacts and raw inputs pass a test.

    A file that several artifacts share is read once.
    """
    files = RowFiles(root, store)
    known: dict[str, bool | None] = {}
    held, unread = [], []
    for artifact, listed in _with_rows(index, files):
        for file in listed or ():
            if file.md5 not in known:
                known[file.md5] = _passes(files, file, test)
        answers = [known[file.md5] for file in listed] if listed is not None else [None]
        if any(answers):
            held.append(artifact)
        elif None in answers:
            unread.append(artifact)
    return Held(tuple(held), tuple(unread))


def names_in(rows: Iterable[bytes], field: str) -> set[str]:
    """The names that stand in a field of rows."""
    key = f'"{field}"'.encode()
    values = (_parsed(row) for row in rows if key in row)
    found = {value.get(field) for value in values if isinstance(value, dict)}
    return {name for name in found if isinstance(name, str)}


class RecordTest:
    """A test for one record: by a field `id` or `…_id`, or by the sha256 of a whole row or of one of its texts."""

    def __init__(self, record: str) -> None:
        self.rows: dict[str, str] = {}
        """The rows that have it as their own `id`, by their sha256: in other data it may be another record's."""
        self._record = record
        self._digest = record.lower() if len(record) == SHA256_DIGITS else None
        # JSON may write other characters in several ways.
        self._plain = record.encode() if PLAIN.fullmatch(record) else b""

    def __call__(self, rows: Iterable[bytes]) -> bool:
        """Whether one of these rows is of the record."""
        return any((self._digest or self._plain in row) and self._is_record(row) for row in rows)

    def _is_record(self, row: bytes) -> bool:
        value = _parsed(row)
        if isinstance(value, dict) and str(value.get("id")) == self._record:
            self.rows[sha256(row).hexdigest()] = row.decode("utf-8", "replace")
        return sha256(row).hexdigest() == self._digest or _holds("", value, self._record, self._digest)


def _holds(key: str, value: Any, record: str, digest: str | None) -> bool:
    if isinstance(value, dict):
        return any(_holds(name, inner, record, digest) for name, inner in value.items())
    if isinstance(value, list):
        return any(_holds(key, inner, record, digest) for inner in value)
    if (key == "id" or key.endswith("_id")) and str(value) == record:
        return True
    return digest is not None and isinstance(value, str) and _text_sha256(value) == digest


def _text_sha256(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _parsed(row: bytes) -> Any:
    try:
        return json.loads(row)
    except (ValueError, RecursionError):
        return None


def _passes(files: RowFiles, file: RowFile, test: Test) -> bool | None:
    """Whether a file passes a test; None where it cannot be read."""
    try:
        return test(files.rows(file))
    except ArtifactError:
        return None


def _with_rows(index: Index, files: RowFiles) -> Iterator[tuple[str, list[RowFile] | None]]:
    """Every artifact and raw input that may hold rows, with its files of rows; None where they cannot be told."""
    for artifact, stage in index.artifacts().items():
        if may_hold_rows(stage):
            yield artifact, _told(partial(files.of_artifact, artifact))
    for raw in index.raw_inputs():
        if raw.size:
            yield raw.md5, _told(partial(files.of_raw, raw.md5, raw.commit, raw.path))


def _told(listed: Callable[[], list[RowFile] | None]) -> list[RowFile] | None:
    """A list of files; None where the list itself is damaged."""
    try:
        return listed()
    except ArtifactError:
        return None
