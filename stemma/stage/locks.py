"""Locks between processes that a `kill -9` lets go of."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def lock(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, waiting for whoever holds it."""
    with _locked(file, fcntl.LOCK_EX):
        yield


@contextmanager
def try_lock(file: Path) -> Iterator[bool]:
    """Hold an exclusive lock on a file if nobody does; yields whether it is held."""
    with _locked(file, fcntl.LOCK_EX | fcntl.LOCK_NB) as held:
        yield held


@contextmanager
def _locked(file: Path, how: int) -> Iterator[bool]:
    file.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with file.open("w") as stream:
            try:
                fcntl.flock(stream, how)
            except BlockingIOError:
                yield False
                return
            if is_there(file, stream):
                yield True
                return


def is_there(file: Path, stream: IO[str]) -> bool:
    """Whether the path still leads to the open file: whoever cleans up may have removed it before it was locked."""
    try:
        return os.path.samestat(file.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False
