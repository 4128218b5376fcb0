"""The raw files that a run's commit holds: in Git itself, or in DVC through `*.dvc` files beside them."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from stemma.lineage.git_objects import files_under, read_objects


@dataclass(frozen=True)
class RawFile:
    """One raw file of a commit."""

    path: str
    """Relative to the folder that was asked for; empty for that very file."""
    md5: str
    size: int
    """Bytes."""
    cached: bool
    """Whether its bytes are in the DVC cache; otherwise Git holds them."""


def raw_files(root: Path, commit: str, path: str) -> list[RawFile]:
    """The files at a path of a commit, or below it."""
    listed = files_under(root, commit, path, f"{path}.dvc")
    contents = read_objects(root, [f"{commit}:{name}" for name in listed]) if listed else {}
    found = []
    for name in listed:
        content = contents[f"{commit}:{name}"] or b""
        if name != f"{path}.dvc":
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            found.append(RawFile(_below(path, name), md5, len(content), cached=False))
        if name.endswith(".dvc"):
            found += [
                RawFile(
                    _below(path, str(PurePosixPath(name).parent / out["path"])), out["md5"], out["size"], cached=True
                )
                for out in _tracked(content)
            ]
    return found


def id_of(files: Collection[RawFile]) -> str:
    """The DVC id of a folder that holds these files, or of the one file."""
    if [file.path for file in files] == [""]:
        return next(iter(files)).md5
    listed = [{"md5": file.md5, "relpath": file.path} for file in sorted(files, key=lambda file: file.path)]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _below(folder: str, name: str) -> str:
    return "" if name == folder else str(PurePosixPath(name).relative_to(folder))


def _tracked(content: bytes) -> list[dict[str, Any]]:
    """The outputs of a `.dvc` file: path, md5 and size of each."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        outs = (YAML(typ="safe").load(content.decode("utf-8", "replace")) or {}).get("outs", [])
    except (YAMLError, AttributeError):
        return []
    return [{"size": 0, **out} for out in outs if "md5" in out]
