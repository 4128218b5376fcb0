"""Which versions of which datasets hold what is to be forgotten, and in which of their files."""

import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stemma.errors import ArtifactError
from stemma.forgetting.wanted import Wanted, matches, parsed
from stemma.lineage.forgotten import Tombstones
from stemma.lineage.git_objects import read_objects
from stemma.lineage.index import Index, RawInput
from stemma.lineage.raw_files import raw_files
from stemma.lineage.row_files import ARRAYS, LINES
from stemma.lineage.runs import MODEL_STAGES
from stemma.lineage.store import Store
from stemma.stage.manifest import MANIFEST

REPORTS = (".json", ".md", ".csv", ".txt")
"""Files of an artifact with rows that hold none, but may name what is to be forgotten."""
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Part:
    """One file of a dataset."""

    path: str
    md5: str
    in_git: str = ""
    """`commit:path` where Git holds the bytes, and not DVC."""
    is_report: bool = False


@dataclass(frozen=True)
class Dataset:
    """One version of a dataset: an artifact with rows, or the raw files that a run took in."""

    name: str
    """The stage that made it, or the raw input's path."""
    dvc_id: str
    parts: tuple[Part, ...]
    is_raw: bool = False


@dataclass(frozen=True)
class Holding:
    """A dataset version that holds what is to be forgotten."""

    dataset: Dataset
    rows: Mapping[str, int]
    """How many rows, by file."""
    reports: tuple[str, ...]
    """Reports that name it."""

    @property
    def parts(self) -> list[Part]:
        """The files that hold or name it."""
        return [part for part in self.dataset.parts if part.path in self.rows or part.path in self.reports]


@dataclass(frozen=True)
class Search:
    """What was found, and what could not be looked into."""

    holdings: tuple[Holding, ...]
    looked_into: int
    """Dataset versions."""
    unread: Mapping[str, int]
    """How many dataset versions have bytes that are nowhere here or damaged, by name."""


class Bytes:
    """The bytes of files, from DVC or from Git."""

    def __init__(self, root: Path, store: Store) -> None:
        self._root = root
        self._store = store

    def stored(self, part: Part) -> bytes | None:
        """A file's bytes; None where they are nowhere here, or damaged wherever they are."""
        for content in self._copies(part):
            if hashlib.md5(content, usedforsecurity=False).hexdigest() == part.md5:
                return content
        return None

    def read(self, part: Part) -> bytes | None:
        """The same, unzipped."""
        content = self.stored(part)
        try:
            return gzip.decompress(content) if content and content.startswith(GZIP) else content
        except (OSError, EOFError, zlib.error):
            return None

    def _copies(self, part: Part) -> Iterator[bytes]:
        if part.in_git:
            yield read_objects(self._root, [part.in_git])[part.in_git] or b""
            return
        yield from (place.read(part.md5) for place in self._store.places() if place.has(part.md5))


def search(root: Path, index: Index, store: Store, wanted: Wanted) -> Search:
    """Look into every dataset version whose bytes are here or on the remote; a file that several share once only."""
    held, unread = datasets(root, index, store)
    contents = Bytes(root, store)
    for part in {part.md5: part for dataset in held if wanted.learns for part in dataset.parts}.values():
        for row in _rows(part, contents.read(part) or b""):
            wanted.learn(parsed(row))
    counts: dict[str, int | None] = {}
    holdings = []
    for dataset in held:
        for part in dataset.parts:
            if part.md5 not in counts:
                content = contents.read(part)
                counts[part.md5] = None if content is None else _count(part, content, wanted)
        found = {part.path: counts[part.md5] or 0 for part in dataset.parts if counts[part.md5]}
        reports = tuple(part.path for part in dataset.parts if part.is_report and part.path in found)
        if found:
            rows = {path: count for path, count in found.items() if path not in reports}
            holdings.append(Holding(dataset, rows, reports))
        elif None in {counts[part.md5] for part in dataset.parts}:
            unread[dataset.name] += 1
    return Search(tuple(holdings), len(held), dict(unread))


def datasets(root: Path, index: Index, store: Store) -> tuple[list[Dataset], Counter[str]]:
    """Every dataset version on record, cleaned ones included; and how many are nowhere here, by name."""
    found: list[Dataset] = []
    unread: Counter[str] = Counter()
    stages = index.artifacts()
    cleaned = Tombstones(root).cleaned
    stages |= {new: stages[old] for old, new in cleaned.items() if old in stages}
    for artifact, stage in stages.items():
        parts = None if stage in MODEL_STAGES else _parts(store, artifact)
        if parts is None:
            unread.update([] if stage in MODEL_STAGES else [stage])
        elif any(not part.is_report for part in parts):
            found.append(Dataset(stage, artifact, parts))
    copies = [new for old, new in cleaned.items() if old not in stages]
    found += [Dataset("cleaned raw file", oid, (Part("rows.jsonl", oid),), is_raw=True) for oid in copies]
    raw = [_raw(root, told) for told in index.raw_inputs() if told.size]
    return found + [dataset for dataset in raw if dataset.parts], unread


def _parts(store: Store, artifact: str) -> tuple[Part, ...] | None:
    try:
        files = store.files(artifact)
    except ArtifactError:
        return None
    if files is None:
        return None
    return tuple(
        Part(path, md5, is_report=not path.endswith(LINES))
        for path, md5 in files.items()
        if path.endswith(LINES + REPORTS) and path != MANIFEST
    )


def _raw(root: Path, raw: RawInput) -> Dataset:
    parts = []
    for file in raw_files(root, raw.commit, raw.path):
        path = f"{raw.path}/{file.path}".rstrip("/")
        if path.endswith(LINES + ARRAYS):
            parts.append(Part(path, file.md5, "" if file.cached else f"{raw.commit}:{path}"))
    return Dataset(raw.path, raw.md5, tuple(parts), is_raw=True)


def _count(part: Part, content: bytes, wanted: Wanted) -> int:
    """How many rows of a file are meant; for a report, whether it names what is meant."""
    if part.is_report:
        text = content.decode("utf-8", "replace")
        return int(wanted.hide(text) != text)
    return sum(matches(wanted, row) for row in _rows(part, content))


def _rows(part: Part, content: bytes) -> Iterator[str]:
    if part.is_report:
        return
    text = content.decode("utf-8", "replace")
    if part.path.endswith(LINES):
        yield from (line for line in text.split("\n") if line.strip())
        return
    values = parsed(text)
    yield from (json.dumps(value) for value in (values if isinstance(values, list) else [values]))
