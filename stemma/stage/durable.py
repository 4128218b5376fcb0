"""Files that are there whole or not at all, even where the machine stops in between."""

import os
from pathlib import Path

WRITING = "writing"
"""What the name of a file or folder begins or ends with while it is being written."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; until that is done what it held before stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{WRITING}")
    try:
        with beside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Return once the disk has a file, or the names that a folder holds."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(folder: Path) -> None:
    """Return once the disk has a folder and all that is in it."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)
