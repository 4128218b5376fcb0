"""Watch a stage at work: read the events it leaves in its workspace, as they come."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Event = Mapping[str, Any]
SECONDS_BETWEEN_READS = 0.5


class Watch:
    """Reads a stage's events file in a thread and hands on what is new, until the stage ends.

    `at_work` is called after every look at a stage that runs and does not wait.
    """

    def __init__(
        self,
        events: Path,
        log: Path,
        started: Callable[[], None],
        handle: Callable[[list[Event]], None],
        at_work: Callable[[], None],
    ) -> None:
        self._events = events
        self._log = log
        self._started = started
        self._handle = handle
        self._at_work = at_work
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._read = 0
        self.ran = False
        self.error = ""
        self.kind = ""
        """What kind of error it was: the name of its class."""
        self._waited = 0.0
        self._waits_since: float | None = None

    def waited(self) -> float:
        """How many seconds the stage has waited for its slots, until now."""
        since = self._waits_since
        return self._waited + (time.monotonic() - since if since is not None else 0.0)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_READS):
            self._look()
            if self.ran and self._waits_since is None:
                self._at_work()

    def _look(self) -> None:
        """The stage's log appears when its process starts: DVC decided to run it."""
        if not self.ran and self._log.exists():
            self.ran = True
            self._started()
        fresh = self._fresh()
        for event in fresh:
            self._note(event)
        if fresh:
            self._handle(fresh)

    def _note(self, event: Event) -> None:
        if "error" in event:
            self.error, self.kind = event["error"], event["kind"]
        if "waits" in event and self._waits_since is None:
            self._waits_since = time.monotonic()
        if "waited" in event:
            self._waited, self._waits_since = self._waited + event["waited"], None

    def _fresh(self) -> list[Event]:
        if not self._events.exists():
            return []
        with self._events.open("rb") as stream:
            stream.seek(self._read)
            whole, _, _ = stream.read().rpartition(b"\n")
        if not whole:
            return []
        self._read += len(whole) + 1
        return [json.loads(line) for line in whole.splitlines()]
