"""Objects on their way out of the store: each is hashed while it is copied, and a damaged copy is passed by."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from stemma.errors import ArtifactError
from stemma.lineage.store import CHUNK, Place, Store

Change = Callable[[IO[bytes]], Iterator[bytes]]
"""What is written, made from what is read; it reads all there is."""


@dataclass(frozen=True)
class Copied:
    """What was copied."""

    md5: str
    sha256: str
    size: int
    """Bytes."""
    source_sha256: str
    """The object's own sha256; it differs from `sha256` where the object was changed on its way."""


def copy_object(store: Store, md5: str, target: Path, name: str, change: Change | None = None) -> Copied:
    """Copy an object from the first place whose bytes are what the md5 says; `change` alters it on its way.

    Raises ArtifactError, which calls the object by `name`, where no place has such bytes.
    """
    for place in store.places():
        copied = _copy(place, md5, target, change or _unchanged) if place.has(md5) else None
        if copied:
            return copied
    places = " or ".join(place.name for place in store.places())
    raise ArtifactError(
        f"no good copy of {name} (md5 {md5}) is in {places}. Fetch one with `dvc pull`, or see what else is wrong with "
        "`stemma verify`; `stemma verify --repair` copies good objects between cache and remote"
    )


def inside(path: str) -> PurePosixPath:
    """A file's path in its artifact; the list of files is data, so it is not trusted.

    Raises ArtifactError where the path leads out of the artifact.
    """
    relative = PurePosixPath(path)
    if not relative.parts or relative.is_absolute() or ".." in relative.parts:
        raise ArtifactError(f"the artifact names a file outside itself: {path!r}; it is not one of Stemma's")
    return relative


class _Hashing:
    """A stream that hashes what is read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read as from the stream itself."""
        content = self._stream.read(size)
        self.md5.update(content)
        self.sha256.update(content)
        return content


def _copy(place: Place, md5: str, target: Path, change: Change) -> Copied | None:
    written_md5, written_sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with place.open(md5) as stream, target.open("wb") as sink:
        source = _Hashing(stream)
        try:
            for block in change(cast("IO[bytes]", source)):
                written_md5.update(block)
                written_sha256.update(block)
                size += sink.write(block)
        except (ValueError, LookupError, ArtifactError):
            while source.read(CHUNK):
                pass
            if source.md5.hexdigest() == md5:
                raise
    if source.md5.hexdigest() != md5:
        return None
    return Copied(written_md5.hexdigest(), written_sha256.hexdigest(), size, source.sha256.hexdigest())


def _unchanged(source: IO[bytes]) -> Iterator[bytes]:
    while block := source.read(CHUNK):
        yield block
