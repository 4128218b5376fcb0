"""SIGTERM to a run in a terminal ends it within seconds and in one line, also where its Prefect server ended with it.

Prefect's own handler raises in the main thread, and its engine then tells the server that the run crashed. If the
server got the same signal, as from a service manager or a container that ends a whole process group, it is asked again
for minutes, with a traceback for each attempt.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from prefect.server.api.server import SubprocessASGIServer

SECONDS_TO_END = 8.0
"""How long the run may take to tell Prefect and MLflow that it ends."""
STATUS = 128 + signal.SIGTERM
WORDS = "stemma: ended by SIGTERM; what is finished is kept, and the same command continues from there"


@contextmanager
def ending_soon_on_sigterm() -> Iterator[None]:
    """Within it, SIGTERM prints one line, raises as Prefect has it, and ends the process after `SECONDS_TO_END`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    raising = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, raising)
        _say_last_words()
        threading.Thread(target=_end_the_process, daemon=True).start()
        if callable(raising):
            raising(number, frame)
        else:
            sys.exit(STATUS)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, raising)


def _say_last_words() -> None:
    """Print the one line; whatever is printed afterwards, such as tracebacks of Prefect's client, is dropped."""
    with suppress(OSError):
        os.write(sys.stderr.fileno(), f"{WORDS}\n".encode())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def _end_the_process() -> None:
    time.sleep(SECONDS_TO_END)
    with suppress(Exception):
        SubprocessASGIServer().stop()  # a temporary server would outlive this process
    os._exit(STATUS)
