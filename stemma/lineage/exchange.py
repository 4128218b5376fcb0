"""The exchange of stages between the machines of a shared project, while a run goes on.

Before a stage: what another machine made of it, or the step checkpoints that a dead one left. During: its step
checkpoints are sent. After: what it made. Sending happens in a thread and is tried again for as long as the run lasts;
a remote that is down never holds up the work.
"""

import queue
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from stemma.errors import WorkspaceError
from stemma.lineage import remote_stages
from stemma.lineage.backoff import waits
from stemma.lineage.dvc import Pipeline
from stemma.lineage.remote_stages import Made, made_by
from stemma.lineage.remote_steps import RemoteSteps
from stemma.stage.steps import has_whole_checkpoint

SECONDS_BETWEEN_LOOKS = 2.0
PATIENCE = 300.0
"""Seconds that a run which has ended waits for a remote that is down."""


class Exchange:
    """What one run gets from other machines and leaves for them."""

    def __init__(self, root: Path, say: Callable[[str], None], sends_steps: bool, resends: bool = False) -> None:
        """`resends` is for another attempt of a run: what the one before made, it may not have sent."""
        self._root, self._say, self._sends_steps, self._resends = root, say, sends_steps, resends
        self._queue: queue.Queue[tuple[Made, str] | None] = queue.Queue()
        self._working_on: Path | None = None
        self._over = threading.Event()
        self._deadline = float("inf")
        self._steps_fault = ""
        self._thread = threading.Thread(target=self._send_all, daemon=True)
        self.unsent: list[str] = []
        """The stages whose result the remote did not take before the run ended."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        interrupted = kind is not None and not issubclass(kind, Exception)
        self.settle(0.0 if interrupted else PATIENCE)

    def settle(self, patience: float = PATIENCE) -> None:
        """Wait until all is sent, or for that many seconds."""
        if not self._over.is_set():
            self._deadline = time.monotonic() + patience
            self._over.set()
            self._queue.put(None)
        self._thread.join(patience + SECONDS_BETWEEN_LOOKS)

    def begin(self, pipeline: Pipeline, stage: str, scratch: Path) -> None:
        """Take over what another machine made of a stage, or the step checkpoints that it left."""
        try:
            remote_stages.fetch(pipeline, stage)
            if self._sends_steps and not has_whole_checkpoint(scratch):
                self._pull_steps(stage, scratch)
        except WorkspaceError as error:
            self._say(f"{stage}: what other machines made is not known: {error}")
        self._working_on = scratch if self._sends_steps else None

    def end(self, pipeline: Pipeline, stage: str, scratch: Path, ran: bool) -> None:
        """Send what a stage made, if it ran here."""
        self._working_on = None
        if ran or self._resends:
            self._queue.put((made_by(pipeline, stage), scratch.name))

    def _pull_steps(self, stage: str, scratch: Path) -> None:
        with closing(RemoteSteps(self._root)) as steps:
            if steps.pull(scratch):
                self._say(f"{stage}: took over the step checkpoint that another machine left")

    def _send_all(self) -> None:
        """The thread's work: results as they come, and step checkpoints in between."""
        with closing(RemoteSteps(self._root)) as steps:
            while True:
                try:
                    job = self._queue.get(timeout=SECONDS_BETWEEN_LOOKS)
                except queue.Empty:
                    self._send_steps(steps)
                    continue
                if job is None:
                    return
                self._send(*job, steps)

    def _send(self, made: Made, scratch: str, steps: RemoteSteps) -> None:
        told = False
        for wait in waits():
            try:
                remote_stages.push(self._root, made)
                break
            except WorkspaceError as error:
                if not told:
                    self._say(f"{made.stage} is not on the DVC remote yet, which is tried again meanwhile: {error}")
                told = True
            if time.monotonic() + wait > self._deadline:
                self.unsent.append(made.stage)
                return
            self._pause(wait)
        if told:
            self._say(f"{made.stage} is on the DVC remote now")
        if self._sends_steps:
            with suppress(WorkspaceError):
                steps.drop(scratch)

    def _pause(self, seconds: float) -> None:
        """Wait; the end of the run cuts the wait short once, so that the last try is not minutes away."""
        if self._over.is_set():
            time.sleep(seconds)
        else:
            self._over.wait(seconds)

    def _send_steps(self, steps: RemoteSteps) -> None:
        """Send the newest step checkpoint of the stage at work; a fault is told once, and the next is tried anew."""
        scratch, told = self._working_on, bool(self._steps_fault)
        if scratch is None:
            return
        try:
            steps.push(scratch)
            self._steps_fault = ""
        except WorkspaceError as error:
            self._steps_fault = str(error)
            if not told:
                self._say(str(error))
