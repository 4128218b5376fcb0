"""The files that serving reads: a checked copy of each served artifact, and a link per alias, swapped in one step."""

import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from stemma.errors import StemmaError
from stemma.lineage.index import Index
from stemma.lineage.md5 import file_md5
from stemma.lineage.registry import Registry, Version
from stemma.lineage.served import LOCK, copy_of, link_of, served_artifact
from stemma.lineage.store import Store
from stemma.serving.model_files import artifacts_of, model_files
from stemma.stage.locks import lock


def lay_out(root: Path, index: Index, store: Store, version: Version) -> Path:
    """Put a checked copy of a version's model where serving can read it; a copy that is there and right stays.

    Adapters are merged into their base, so that the folder, which is returned, loads by itself. Raises ArtifactError
    where a file is nowhere to be had as its id says.
    """
    with _alone(root):
        return _lay_out(root, index, store, version)


def settle(root: Path, index: Index, store: Store, registry: Registry) -> list[str]:
    """Let each alias's link go where Git says, whatever a killed act left; returns why a link could not.

    One alias whose bytes are gone does not hold up the others.
    """
    unserved = []
    with _alone(root):
        now = registry.read()
        for alias, number in now.aliases.items():
            version = now.versions[number]
            artifact = version.artifact
            served = served_artifact(root, now.name, alias) == artifact and copy_of(root, artifact).is_dir()
            try:
                if not served:
                    _lay_out(root, index, store, version)
                    _point(root, now.name, alias, artifact)
            except (StemmaError, OSError) as error:
                unserved.append(f"{now.name}@{alias} is not served: {error}")
    return unserved


def _alone(root: Path) -> AbstractContextManager[None]:
    """One process at a time lays out and points, so that a slow one cannot put an old link over a new one."""
    return lock(root / LOCK)


def _lay_out(root: Path, index: Index, store: Store, version: Version) -> Path:
    files = model_files(store, artifacts_of(index, version.commit), version.stage)
    folder = copy_of(root, version.artifact)
    if folder.is_dir() and _is_copy(folder, files.md5s()):
        folder.touch()  # it is in hand again: `stemma gc` leaves it alone for a while
        return folder
    building = folder.with_name(f".{folder.name}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    files.write(building)
    if folder.exists():
        shutil.rmtree(folder)
    return building.rename(folder)


def _is_copy(folder: Path, listing: Mapping[str, str]) -> bool:
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return there == set(listing) and all(file_md5(folder / path) == oid for path, oid in listing.items())


def _point(root: Path, model: str, alias: str, artifact: str) -> None:
    link = link_of(root, model, alias)
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(copy_of(root, artifact), link.parent))
    fresh.replace(link)
