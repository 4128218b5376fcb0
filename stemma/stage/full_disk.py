"""A disk that fills up while a stage writes, told as what it is: libraries report it in words of their own."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stemma.errors import StemmaError, WorkspaceError

FULL = 4 << 20
"""Bytes left on a disk that count as none: what is written last does not always fill the last block."""


@contextmanager
def telling_a_full_disk(*folders: Path) -> Iterator[None]:
    """Raise WorkspaceError in place of any error that comes while the disk of one of the folders is full."""
    try:
        yield
    except StemmaError:
        raise
    except Exception as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if not full and all(shutil.disk_usage(folder).free > FULL for folder in folders):
            raise
        raise WorkspaceError("the disk is full; free some space and run again, finished work is kept") from error
