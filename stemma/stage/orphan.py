"""No process of ours outlives the flow that started it."""

import os
import select
import threading
from contextlib import suppress


def end_with(pid: int) -> None:
    """End this process when that process is gone, so that a killed flow leaves no orphan at work."""
    threading.Thread(target=_watch, args=(pid,), daemon=True).start()


def _watch(pid: int) -> None:
    with suppress(ProcessLookupError):
        # Readable once the process has ended, even while nobody has reaped it.
        select.select([os.pidfd_open(pid)], [], [])
    os._exit(1)
