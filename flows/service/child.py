"""A process that ends with the one that started it, and its log."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
SECONDS_TO_END = 20.0


def start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, anew: bool = True
) -> "subprocess.Popen[bytes]":
    """Start a process of a group of its own, with what it prints in a log file, begun anew or gone on with.

    It is to be called from the main thread: Linux takes the end of the thread that starts a process for its parent's.
    """
    with log.open("wb" if anew else "ab") as stream:
        return subprocess.Popen(
            list(command),
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            # Ctrl-C in a terminal is for the process that looks after this one.
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 -- no thread runs in this process that could hold a lock
        )


def end(process: "subprocess.Popen[bytes]") -> None:
    """Tell a process to end, and kill its group where it does not within a while."""
    process.terminate()
    try:
        process.wait(timeout=SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def last_words(log: Path, lines: int = 10) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _end_with_parent() -> None:
    """Have Linux end this process when its parent is gone, so that a kill leaves no port taken."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
