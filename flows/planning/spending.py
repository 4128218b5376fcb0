"""What a run has spent so far, over all its attempts on this machine: a file that a kill leaves whole.

A stage's time counts while it is at work, not while it is restored or waits.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flows.planning.budget import Cost

SECONDS_BETWEEN_NOTES = 2.0


@dataclass(frozen=True)
class Spent:
    """What one stage took, under one key: with other settings or inputs it is another stage."""

    seconds: float = 0.0
    gpus: int = 0
    bytes: int = 0
    """Of what it made."""
    whole: bool = True
    """False where it went on from a step checkpoint of somebody else, so that nobody knows what all of it took."""


class Spending:
    """The account of one run."""

    def __init__(self, root: Path, run: str) -> None:
        self._file = root / ".stemma" / "spent" / f"{run}.json"
        self._spent = _read(self._file)
        self._present: dict[str, str] = {}
        self._is_first = True
        self._lock = threading.Lock()

    def total(self) -> Cost:
        """What all stages took."""
        cost = Cost()
        for one in self._spent.values():
            cost += Cost(one.seconds, one.seconds * one.gpus, one.bytes)
        return cost

    def unfinished(self, stage: str) -> float:
        """Seconds that went into a stage which has made nothing yet."""
        of_stage = [one for key, one in self._spent.items() if key.rpartition("-")[0] == stage]
        return of_stage[-1].seconds if of_stage and not of_stage[-1].bytes else 0.0

    def knows(self, key: str) -> bool:
        """Whether the run was at work on a stage under this key."""
        return key in self._spent

    def measured(self) -> dict[str, float]:
        """Seconds that each stage of the present attempt took in all, where that is known of it and it ran at all."""
        known = {stage: self._spent[key] for stage, key in self._present.items() if key in self._spent}
        return {stage: one.seconds for stage, one in known.items() if one.whole}

    @contextmanager
    def count(
        self, stage: str, key: str, gpus: int, ran: Callable[[], bool], waited: Callable[[], float]
    ) -> Iterator[None]:
        """Count the time of a stage, known by a key that begins with its name, as soon as it is at work.

        What it waited for its slots does not count.
        """
        self._present[stage], self._is_first = key, key not in self._spent
        before, began, over = self._spent.get(key, Spent()), time.monotonic(), threading.Event()

        def note() -> None:
            if ran():
                seconds = max(time.monotonic() - began - waited(), 0.0)
                self._change(key, seconds=before.seconds + seconds, gpus=gpus)

        def note_now_and_then() -> None:
            while not over.wait(SECONDS_BETWEEN_NOTES):
                note()

        thread = threading.Thread(target=note_now_and_then, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            note()

    def resumed(self, stage: str) -> None:
        """Note that the stage at work goes on from a step checkpoint."""
        if self._is_first:
            self._change(self._present[stage], whole=False)

    def made(self, stage: str, size: int) -> None:
        """Note the bytes of what a stage made."""
        self._change(self._present[stage], bytes=size)

    def close(self) -> None:
        """Drop the account: the run is on record."""
        self._file.unlink(missing_ok=True)

    def _change(self, key: str, **facts: Any) -> None:
        """Change what is known of a stage, put it last, and write all of it."""
        with self._lock:
            self._spent[key] = replace(self._spent.pop(key, Spent()), **facts)
            with suppress(OSError):  # the disk is full; the next note writes all of it
                self._write()

    def _write(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        writing = self._file.with_suffix(".writing")
        writing.write_text(json.dumps({key: asdict(one) for key, one in self._spent.items()}), encoding="utf-8")
        writing.replace(self._file)


def _read(file: Path) -> dict[str, Spent]:
    if not file.exists():
        return {}
    return {key: Spent(**one) for key, one in json.loads(file.read_text(encoding="utf-8")).items()}
