"""The files that serving reads: a checked copy of each served artifact, and a link per alias, swapped in one step."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

from stemma.errors import ArtifactError, StemmaError
from stemma.lineage.registry import Registry
from stemma.lineage.served import copy_of, link_of, served_artifact
from stemma.lineage.store import Store
from stemma.stage.locks import lock

CHUNK = 1 << 20


def lay_out(root: Path, store: Store, artifact: str) -> None:
    """Put a checked copy of an artifact where serving can read it; a copy that is there and right stays.

    Raises ArtifactError where a file is nowhere to be had as its id says.
    """
    with _alone(root):
        _lay_out(root, store, artifact)


def settle(root: Path, store: Store, registry: Registry) -> list[str]:
    """Let each alias's link go where Git says, whatever a killed act left; returns why a link could not.

    One alias whose bytes are gone does not hold up the others.
    """
    unserved = []
    with _alone(root):
        now = registry.read()
        for alias, number in now.aliases.items():
            artifact = now.versions[number].artifact
            served = served_artifact(root, now.name, alias) == artifact and copy_of(root, artifact).is_dir()
            try:
                if not served:
                    _lay_out(root, store, artifact)
                    _point(root, now.name, alias, artifact)
            except (StemmaError, OSError) as error:
                unserved.append(f"{now.name}@{alias} is not served: {error}")
    return unserved


def _alone(root: Path) -> AbstractContextManager[None]:
    """One process at a time lays out and points, so that a slow one cannot put an old link over a new one."""
    return lock(root / ".stemma" / "serving.lock")


def _lay_out(root: Path, store: Store, artifact: str) -> None:
    listing = store.files(artifact)
    if listing is None:
        raise ArtifactError(
            f"artifact {artifact} is neither in the DVC cache nor on a remote; "
            "`dvc exp pull RUN` brings a run's files, `stemma reproduce` says whether they can be made again"
        )
    folder = copy_of(root, artifact)
    if _is_copy(folder, listing):
        return
    building = folder.with_name(f".{folder.name}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    for path, oid in listing.items():
        _copy(store, oid, _within(building, path))
    if folder.exists():
        shutil.rmtree(folder)
    building.rename(folder)


def _is_copy(folder: Path, listing: Mapping[str, str]) -> bool:
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return there == set(listing) and all(_md5(folder / path) == oid for path, oid in listing.items())


def _point(root: Path, model: str, alias: str, artifact: str) -> None:
    link = link_of(root, model, alias)
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(copy_of(root, artifact), link.parent))
    fresh.replace(link)


def _within(folder: Path, path: str) -> Path:
    """A file of an artifact under the folder; the list of files is data, so its paths are not trusted."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or parts[0] == "/":
        raise ArtifactError(f"the artifact names a file outside itself: {path!r}; it is not one of Stemma's")
    return folder.joinpath(*parts)


def _copy(store: Store, oid: str, target: Path) -> None:
    """Copy an object from the first place that holds it as its id says."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for place in store.places():
        if place.has(oid):
            with place.open(oid) as source, target.open("wb") as stream:
                shutil.copyfileobj(source, stream, CHUNK)
            if _md5(target) == oid:
                return
    raise ArtifactError(
        f"object {oid}, {target.name}, is neither in the DVC cache nor on a remote as its id says; "
        "`stemma verify --repair` tells what can be done"
    )


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
