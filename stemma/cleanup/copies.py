"""The copies of models in serving/ that no alias serves; they are laid out from DVC again when they are needed."""

import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from stemma.lineage.served import LOCK, VERSIONS, served_aliases, served_artifact
from stemma.stage.locks import lock

SECONDS_IN_HAND = 3600.0
"""So long a copy may be in hand: a promotion lays it out and tries whether it loads before a link leads to it."""


def unserved_copies(root: Path, unused_for: float = SECONDS_IN_HAND) -> list[Path]:
    """The folders of copies that no alias's link leads to, with those that a kill left half written.

    One that was laid out within the last `unused_for` seconds may be in hand, and is left out.
    """
    served = {served_artifact(root, model, alias) for model, alias in served_aliases(root)}
    folders = [path for path in (root / VERSIONS).glob("*") if path.is_dir() and not path.is_symlink()]
    latest = time.time() - unused_for
    return sorted(path for path in folders if path.name not in served and path.stat().st_mtime <= latest)


def size_of(folders: Iterable[Path]) -> int:
    """Bytes of the files in the folders."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


def remove_unserved_copies(
    root: Path, is_meant: Callable[[str], bool] = lambda _: True, unused_for: float = SECONDS_IN_HAND
) -> tuple[int, int]:
    """Remove the copies that no alias serves, of the artifacts that are meant; returns how many, and their bytes.

    It waits for whoever is writing a copy: one that an alias serves by then stays.
    """
    with lock(root / LOCK):
        going = [path for path in unserved_copies(root, unused_for) if is_meant(path.name.removeprefix("."))]
        size = size_of(going)
        for path in going:
            shutil.rmtree(path)
    return len(going), size
