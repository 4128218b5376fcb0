"""The files with rows that an artifact or raw input holds, and the rows in them, wherever their bytes are."""

import gzip
import json
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from stemma.errors import ArtifactError
from stemma.lineage.git_objects import read_objects
from stemma.lineage.raw_files import id_of, raw_files
from stemma.lineage.runs import EVALUATION, MODEL_STAGES
from stemma.lineage.store import Store

LINES = (".jsonl", ".jsonl.gz")
ARRAYS = (".json", ".json.gz")
"""What else a user's raw file may be; an artifact's .json files hold no rows."""


@dataclass(frozen=True)
class RowFile:
    """A file with rows."""

    name: str
    md5: str
    in_git: str = ""
    """`commit:path` where Git holds its bytes; otherwise they are an object of DVC's."""


def may_hold_rows(stage: str) -> bool:
    """Whether a stage's artifact may be a dataset: a model keeps no rows to train on, and an evaluation neither."""
    return stage not in MODEL_STAGES and not stage.startswith(EVALUATION)


class RowFiles:
    """The files with rows of a project's artifacts."""

    def __init__(self, root: Path, store: Store) -> None:
        self._root = root
        self._store = store

    def of_artifact(self, artifact: str, endings: Collection[str] = LINES) -> list[RowFile] | None:
        """The files with rows of an artifact; None where its list of files is nowhere here."""
        files = self._store.files(artifact)
        if files is None:
            return None
        return [RowFile(name, md5) for name, md5 in files.items() if name.endswith(tuple(endings))]

    def of_raw(self, raw: str, commit: str, path: str) -> list[RowFile] | None:
        """The files with rows of a raw input that a run took in from `path`; `commit` is the run's experiment.

        None where they are not known, or do not make up the raw input.
        """
        endings = LINES + ARRAYS
        listed = self.of_artifact(raw, endings)
        if listed is not None:
            return listed
        files = raw_files(self._root, commit, path)
        if not files or id_of(files) != raw:
            return None
        rows = [(file, f"{path}/{file.path}" if file.path else path) for file in files]
        return [
            RowFile(name, file.md5, "" if file.cached else f"{commit}:{name}")
            for file, name in rows
            if name.endswith(endings)
        ]

    def rows(self, file: RowFile) -> Iterator[bytes]:
        """Each row of a file, as JSON.

        Raises ArtifactError where its bytes are nowhere here, or cannot be read.
        """
        try:
            with self._open(file) as stream:
                yield from _rows(file.name, stream)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise ArtifactError(f"{file.name} (md5 {file.md5}) cannot be read: {error}") from None

    def _open(self, file: RowFile) -> IO[bytes]:
        content = read_objects(self._root, [file.in_git])[file.in_git] if file.in_git else None
        if content is not None:
            return BytesIO(content)
        for place in self._store.places():
            if place.has(file.md5):
                return place.open(file.md5)
        raise ArtifactError(f"{file.name} (md5 {file.md5}) is neither in the DVC cache nor on its remote")


def _rows(name: str, stream: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    if name.endswith(".gz"):
        with gzip.open(stream) as content:
            yield from _rows(name.removesuffix(".gz"), content)
    elif name.endswith(ARRAYS):
        values = json.loads(stream.read())
        yield from (json.dumps(value).encode() for value in (values if isinstance(values, list) else [values]))
    else:
        yield from (row.rstrip(b"\r\n") for row in stream)
