"""The files that serving reads: a copy of each served artifact, and a link per alias that is swapped in one step."""

import os
import shutil
from pathlib import Path, PurePosixPath

from stemma.errors import ArtifactError
from stemma.lineage.registry import Registered
from stemma.lineage.served import copy_of, link_of, served_artifact
from stemma.lineage.store import Store
from stemma.stage.manifest import verify_manifest


def lay_out(root: Path, store: Store, artifact: str) -> Path:
    """Put a checked copy of an artifact where serving can read it; what is there and right stays.

    Raises ArtifactError where a file is nowhere to be had, or is not what its id says.
    """
    folder = copy_of(root, artifact)
    if folder.exists():
        try:
            verify_manifest(folder)
        except ArtifactError:
            shutil.rmtree(folder)
        else:
            return folder
    building = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(building, ignore_errors=True)
    for path, oid in _files(store, artifact).items():
        _copy(store, oid, _within(building, path))
    verify_manifest(building)
    try:
        building.rename(folder)
    except OSError:
        # Another process laid the same bytes out first.
        shutil.rmtree(building)
    return folder


def point(root: Path, model: str, alias: str, artifact: str) -> None:
    """Swap an alias's link to an artifact that is laid out."""
    link = link_of(root, model, alias)
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(copy_of(root, artifact), link.parent))
    fresh.replace(link)


def settle(root: Path, store: Store, registered: Registered) -> list[str]:
    """Finish what a killed act left: each alias's link goes where Git says; returns the aliases whose link moved."""
    moved = []
    for alias, number in registered.aliases.items():
        artifact = registered.versions[number].artifact
        if served_artifact(root, registered.name, alias) != artifact:
            lay_out(root, store, artifact)
            point(root, registered.name, alias, artifact)
            moved.append(alias)
    return moved


def _files(store: Store, artifact: str) -> dict[str, str]:
    files = store.files(artifact)
    if files is None:
        raise ArtifactError(
            f"artifact {artifact} is neither in the DVC cache nor on a remote; "
            "`dvc exp pull RUN` brings a run's files, `stemma reproduce` makes them again"
        )
    return dict(files)


def _within(folder: Path, path: str) -> Path:
    """A file of an artifact under the folder; the list of files is data, so its paths are not trusted."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or parts[0] == "/":
        raise ArtifactError(f"the artifact names a file outside itself: {path!r}; it is not one of Stemma's")
    return folder.joinpath(*parts)


def _copy(store: Store, oid: str, target: Path) -> None:
    place = next((place for place in store.places() if place.has(oid)), None)
    if place is None:
        raise ArtifactError(
            f"object {oid} is neither in the DVC cache nor on a remote; `stemma verify` says what else is"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with place.open(oid) as source, target.open("wb") as stream:
        shutil.copyfileobj(source, stream)
