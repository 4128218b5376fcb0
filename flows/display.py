"""What a person sees while a flow runs: a bar in a terminal, plain lines elsewhere, and bars in the Prefect UI."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from flows.progress import ProgressBars

SECONDS_BETWEEN_LINES = 10.0
SHOWN_METRICS = ("loss", "probe/accuracy", "objective/scores", "objective/kl", "accuracy")


class Display:
    """Says what happens and shows how far the present stage is."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self.lines: list[str] = []
        """What was said so far; MLflow keeps it with the run."""
        self._in_prefect = ProgressBars()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._began = (0.0, 0)
        self._last_line = 0.0
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description:>8}"),
                BarColumn(bar_width=30),
                TextColumn("{task.completed}/{task.total}  {task.fields[numbers]}"),
                TimeRemainingColumn(compact=True),
                console=self._console,
                transient=True,
            )

    def __enter__(self) -> Self:
        self._in_prefect.__enter__()
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()
        self._in_prefect.__exit__(kind, error, tb)

    def say(self, text: str) -> None:
        """Print one line."""
        self.lines.append(text)
        self._console.print(text, markup=False, soft_wrap=True)

    def step(self, stage: str, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """Show a stage's step out of a total, with its most telling numbers."""
        numbers = "  ".join(f"{name} {metrics[name]:.3g}" for name in SHOWN_METRICS if name in metrics)
        self._in_prefect.step(stage, step, total, numbers)
        if self._bar:
            if self._task is None:
                self._task = self._bar.add_task(stage, total=total, numbers=numbers)
            self._bar.update(self._task, completed=step, total=total, numbers=numbers)
            return
        now = time.monotonic()
        if self._began == (0.0, 0):
            self._began = (now, step)
        if now - self._last_line >= SECONDS_BETWEEN_LINES or step == total:
            self._last_line = now
            began, first = self._began
            left = (now - began) / max(step - first, 1) * (total - step)
            self.say(f"  {stage} {step}/{total}  {numbers}  {left:.0f} s left")

    def done(self, stage: str) -> None:
        """Show that a stage has made what it was to make, perhaps in fewer steps than it might have taken."""
        self._in_prefect.done(stage)

    def end_stage(self) -> None:
        """Take the stage's bar away."""
        if self._bar and self._task is not None:
            self._bar.remove_task(self._task)
        self._task, self._began = None, (0.0, 0)
