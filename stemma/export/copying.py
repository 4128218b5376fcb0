"""Objects on their way out of the store: each is hashed while it is copied, and a damaged copy is passed by."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stemma.errors import ArtifactError
from stemma.lineage.store import CHUNK, Place, Store


@dataclass(frozen=True)
class Copied:
    """What was copied."""

    sha256: str
    size: int
    """Bytes."""


def copy_object(store: Store, md5: str, target: Path, name: str) -> Copied:
    """Copy an object from the first place whose bytes are what the md5 says.

    Raises ArtifactError, which calls the object by `name`, where no place has such bytes.
    """
    for place in store.places():
        copied = _copy(place, md5, target) if place.has(md5) else None
        if copied:
            return copied
    places = " or ".join(place.name for place in store.places())
    raise ArtifactError(
        f"no good copy of {name} (md5 {md5}) is in {places}. Fetch one with `dvc pull`, or see what else is wrong with "
        "`stemma verify`"
    )


def copy_model(store: Store, artifact: str, recorded: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Copy an artifact's files into a folder; returns the sha256 of each, by relative path.

    `recorded` has the sha256 of each file that the manifest names. Raises ArtifactError where a file is nowhere to be
    had, or is not what the manifest says.
    """
    found = {}
    for path, md5 in sorted((store.files(artifact) or {}).items()):
        target = folder / _inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        found[path] = copy_object(store, md5, target, path).sha256
    wrong = sorted(path for path in {*found, *recorded} if found.get(path) != recorded.get(path))
    if wrong:
        raise ArtifactError(
            f"{wrong[0]} of artifact {artifact} is not what its manifest says; see what is wrong with `stemma verify`"
        )
    return found


def _copy(place: Place, md5: str, target: Path) -> Copied | None:
    told, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with place.open(md5) as source, target.open("wb") as sink:
        while block := source.read(CHUNK):
            told.update(block)
            sha256.update(block)
            size += sink.write(block)
    return Copied(sha256.hexdigest(), size) if told.hexdigest() == md5 else None


def _inside(path: str) -> PurePosixPath:
    """A file's path in its artifact; the list of files is data, so it is not trusted."""
    inside = PurePosixPath(path)
    if not inside.parts or inside.is_absolute() or ".." in inside.parts:
        raise ArtifactError(f"the artifact names a file outside itself: {path!r}; it is not one of Stemma's")
    return inside
