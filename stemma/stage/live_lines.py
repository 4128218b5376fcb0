"""What whoever watches sees of work that goes on: events for a flow that watches, else plain lines."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from stemma.stage.pace import Pace, duration_text

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_PLACES = 1.0
SECONDS_OF_SILENCE = 9.0
"""Plain lines: after so long without a line, one says that the work goes on, so that none is silent for 10 s."""
SECONDS_BETWEEN_CHECKS = 0.5


def append_event(file: Path, event: Mapping[str, Any]) -> None:
    """Add one event to the file that a flow watches."""
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(event) + "\n")


class LiveLines:
    """How far some work is: steps out of a total, and lines."""

    def __init__(self, name: str, events: Path | None = None, stream: TextIO | None = None) -> None:
        """Where no flow reads `events`, lines go to `stream`, or standard output."""
        self._name = name
        self._events = events
        self._stream = stream
        self._pace = Pace()
        self._last_place = self._last_step_line = 0.0
        self._began = self._last_line = time.monotonic()
        self._place = ""

    def begin(self) -> None:
        """Other steps begin: how long the ones before took says nothing of these."""
        self._pace, self._place, self._last_place = Pace(), "", 0.0

    def at(self, step: int, total: int) -> None:
        """Tell whoever watches how far the steps are, whose numbers come later; 0 before the first."""
        now = time.monotonic()
        if now - self._last_place >= SECONDS_BETWEEN_PLACES:
            self._last_place = now
            self._emit({"at": step, "total": total})
            self._print_step(step, total, {})

    def say(self, text: str) -> None:
        """Tell whoever watches one line."""
        self._emit({"say": text})
        if not self._events:
            self._print(text)

    def at_work(self) -> None:
        """Say that the work goes on, and how far it is, if no plain line was printed for a while.

        The time left is not repeated: it was an estimate of the last step's end.
        """
        now = time.monotonic()
        if not self._events and now - self._last_line >= SECONDS_OF_SILENCE:
            work = f"at work for {duration_text(now - self._began)}"
            self._print("  ".join(filter(None, [self._place, work])))

    @contextmanager
    def never_silent(self) -> Iterator[None]:
        """Call `at_work` from a thread while the work is done; a flow that watches needs no such lines."""
        if self._events:
            yield
            return
        self._began = self._last_line = time.monotonic()
        over = threading.Event()
        thread = threading.Thread(target=self._at_work_until, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _at_work_until(self, over: threading.Event) -> None:
        while not over.wait(SECONDS_BETWEEN_CHECKS):
            self.at_work()

    def _emit(self, event: Mapping[str, Any]) -> None:
        if self._events:
            append_event(self._events, event)

    def _print_step(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        now = time.monotonic()
        self._place, left = f"step {step}/{total}", self._pace.left_text(step, total)
        if self._events or (now - self._last_step_line < SECONDS_BETWEEN_LINES and step < total):
            return
        self._last_step_line = now
        numbers = (f"{name} {value:.4g}" for name, value in metrics.items())
        self._print("  ".join(filter(None, [self._place, *numbers, left])))

    def _print(self, line: str) -> None:
        self._last_line = time.monotonic()
        print(f"{self._name}: {line}\n", end="", file=self._stream, flush=True)  # one write: two threads print
