"""What a person sees while a flow runs: a bar in a terminal, plain lines elsewhere, and bars in the Prefect UI."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from flows.progress import ProgressBars
from stemma.stage.pace import Pace, duration_text

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
        self._pace = Pace()
        self._began, self._last_line = 0.0, 0.0
        self._place = self._numbers = self._left = ""
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description:>8}"),
                BarColumn(bar_width=30),
                TextColumn("{task.fields[place]}  {task.fields[numbers]}"),
                TimeElapsedColumn(),
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

    def begin(self, stage: str) -> None:
        """Note that a stage is at work from now on; how many steps it has is not known yet."""
        self.end_stage()
        self._began = self._last_line = time.monotonic()
        if self._bar:
            self._task = self._bar.add_task(stage, total=None, place="", numbers="")

    def at_work(self, stage: str) -> None:
        """Say that a stage is still at work, and how far, where no line was printed for a while."""
        if not self._bar and time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._line(stage)

    def step(self, stage: str, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """Show a stage's step out of a total, with its most telling numbers, or the last ones where it has none."""
        numbers = "  ".join(f"{name} {metrics[name]:.3g}" for name in SHOWN_METRICS if name in metrics)
        self._numbers = numbers or self._numbers
        self._place, self._left = f"{step}/{total}", self._pace.left_text(step, total)
        self._in_prefect.step(stage, step, total, self._numbers)
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=step, total=total, place=self._place, numbers=self._numbers)
        elif not self._bar and (time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES or step == total):
            self._line(stage)

    def done(self, stage: str) -> None:
        """Show that a stage has made what it was to make, perhaps in fewer steps than it might have taken."""
        self._in_prefect.done(stage)

    def end_stage(self) -> None:
        """Take the stage's bar away."""
        if self._bar and self._task is not None:
            self._bar.remove_task(self._task)
        self._task, self._pace = None, Pace()
        self._place = self._numbers = self._left = ""

    def _line(self, stage: str) -> None:
        now = time.monotonic()
        self._last_line = now
        work = f"at work for {duration_text(now - self._began)}"
        self.say("  " + "  ".join(filter(None, [f"{stage} {self._place}".strip(), self._numbers, work, self._left])))
