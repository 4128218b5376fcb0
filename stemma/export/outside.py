"""What came from outside: the raw files of a family, and a base model that was fetched."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from stemma.lineage.git_objects import read_objects
from stemma.lineage.raw_files import raw_files
from stemma.lineage.store import Store
from stemma.serving.copying import copy_object


@dataclass(frozen=True)
class RawFile:
    """One raw file that a family was made from."""

    path: str
    md5: str
    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Fetched:
    """A base model from elsewhere."""

    source: str
    """hub or folder."""
    model: str
    """OWNER/NAME on the Hub, or the folder's name."""
    revision: str
    """The Hub repository's commit, or the digest of the folder's content."""

    @property
    def purl(self) -> str:
        """Its package URL; empty for a folder, which has no address."""
        return f"pkg:huggingface/{self.model}@{self.revision}" if self.source == "hub" else ""


def raw_files_of(root: Path, store: Store, commit: str, path: str) -> list[RawFile]:
    """The raw files under a path that a run took in, without what Git and DVC themselves put there.

    Raises ArtifactError where a file's bytes are in no place here, or damaged in all of them.
    """
    found = []
    for raw in raw_files(root, commit, path):
        name = f"{path}/{raw.path}" if raw.path else path
        if raw.cached:
            hashed = copy_object(store, raw.md5, Path(os.devnull), f"raw file {name}")
            found.append(RawFile(name, raw.md5, hashed.sha256, hashed.size))
        elif not PurePosixPath(name).name.startswith(".") and not name.endswith(".dvc"):
            content = read_objects(root, [f"{commit}:{name}"])[f"{commit}:{name}"] or b""
            found.append(RawFile(name, raw.md5, hashlib.sha256(content).hexdigest(), len(content)))
    return found


def fetched_base(settings: Mapping[str, Any]) -> Fetched | None:
    """The base model that a stage with these settings fetched, or None."""
    base = settings.get("base", {})
    if base.get("source", "scratch") == "scratch":
        return None
    return Fetched(base["source"], base["model"], base["revision"])
