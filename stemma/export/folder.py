"""A folder that is there whole or not at all: built beside its place, and renamed when it is done."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stemma.errors import WorkspaceError


def check_free(target: Path) -> None:
    """Raise WorkspaceError where the target is there and is not an empty folder."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise WorkspaceError(f"{target} is no folder; name one that does not exist yet, or is empty")
    if target.is_dir() and any(target.iterdir()):
        raise WorkspaceError(f"{target} is not empty, and nothing in it is overwritten; name another folder")


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a folder to fill; it becomes the target when the block ends well, and is removed when it does not.

    What a killed process left beside the target is swept away. Raises WorkspaceError where the target is taken, or the
    disk is full.
    """
    target = target.absolute()
    check_free(target)
    _sweep(target)
    building = target.with_name(f"{_prefix(target)}{os.getpid()}")
    building.mkdir(parents=True)
    held = os.open(building, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield building
        check_free(target)
        building.rename(target)
    except BaseException as error:
        shutil.rmtree(building, ignore_errors=True)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise WorkspaceError(f"the disk of {target.parent} is full; free some space and try again") from None
        raise
    finally:
        os.close(held)


def _prefix(target: Path) -> str:
    return f".{target.name}.partial-"


def _sweep(target: Path) -> None:
    for left in target.parent.glob(f"{_prefix(target)}*"):
        held = os.open(left, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left)
        except BlockingIOError:
            # Another process is at work on it.
            continue
        finally:
            os.close(held)
