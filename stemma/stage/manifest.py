"""The manifest of an artifact: a sha256 for every file, and the manifests it was made from.

DVC's md5 finds an artifact; the sha256 here vouches for it. Each manifest names the manifests of its inputs by hash, so
one hash vouches for the whole family tree.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stemma.errors import ArtifactError

MANIFEST = "manifest.json"


def file_sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_manifest(folder: Path, stage: str, inputs: Mapping[str, Path]) -> None:
    """Write the folder's manifest; it is the last file written, so its existence means the artifact is whole."""
    manifest = {
        "stage": stage,
        "files": {
            path.relative_to(folder).as_posix(): {"sha256": file_sha256(path), "size": path.stat().st_size}
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path != folder / MANIFEST
        },
        "inputs": {name: file_sha256(path / MANIFEST) for name, path in sorted(inputs.items())},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a manifest.

    Raises ArtifactError where the folder has none or it is not readable.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(
            f"{folder} is not a whole artifact: it has no {MANIFEST}. "
            f"Run `dvc checkout {folder}` to restore it, or `dvc repro` to rebuild it."
        ) from None
    except ValueError as error:
        raise ArtifactError(f"{folder / MANIFEST} is damaged ({error}). {_remedy(folder)}") from None
    return manifest


def verify_manifest(folder: Path) -> None:
    """Compare every file of the artifact with its manifest.

    Raises ArtifactError naming the first file that is missing, unknown or changed.
    """
    recorded = read_manifest(folder)["files"]
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
    for name in sorted(present | set(recorded)):
        if name not in present:
            raise ArtifactError(f"{folder / name} is missing. {_remedy(folder)}")
        if name not in recorded:
            raise ArtifactError(f"{folder / name} is not part of the artifact. {_remedy(folder)}")
        found = file_sha256(folder / name)
        if found != recorded[name]["sha256"]:
            expected = recorded[name]["sha256"]
            raise ArtifactError(
                f"{folder / name} changed: sha256 {found[:12]}…, recorded {expected[:12]}…. {_remedy(folder)}"
            )


def _remedy(folder: Path) -> str:
    return (
        f"Its copy in the DVC cache may be damaged: delete {folder} and that cache entry, "
        "then `dvc pull` a good copy or `dvc repro --force` to rebuild it."
    )
