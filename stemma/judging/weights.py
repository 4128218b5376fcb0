"""Which weights a judge on this machine has: one hash for the content of its folder, wherever it lies."""

import hashlib
import json
from pathlib import Path

from stemma.errors import SettingsError
from stemma.models.hub import taken_files
from stemma.stage.manifest import MANIFEST, file_sha256, verify_manifest


def weights_sha256(folder: Path) -> str:
    """The sha256 of an artifact's manifest, which vouches for its whole family, or else of a model folder's files.

    Raises SettingsError where there is no such folder, ArtifactError where it is damaged or holds no weights.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder} is not a folder; name the folder of the judge's model in ai_label.judges")
    if (folder / MANIFEST).is_file():
        verify_manifest(folder)
        return file_sha256(folder / MANIFEST)
    return hashlib.sha256(json.dumps(taken_files(folder), sort_keys=True).encode()).hexdigest()


def check_weights(judge: str, folder: Path, recorded: str) -> None:
    """Compare a folder's content with what the settings name, so that they alone say who judges.

    Raises SettingsError telling the hash where it is another, or none is named.
    """
    found = weights_sha256(folder)
    if not recorded:
        raise SettingsError(f"judge {judge}: set weights_sha256 to {found}, which is the content of {folder}")
    if found != recorded:
        raise SettingsError(
            f"judge {judge}: {folder} holds other weights ({found[:12]}…) than weights_sha256 says ({recorded[:12]}…); "
            f"put those back, or set weights_sha256 to {found}"
        )
