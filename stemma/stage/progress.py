"""What a stage says while it works: numbers by step, kept across kills, and lines for whoever watches.

A stage knows no tracker. It appends rows to a history file beside its checkpoints and, where a flow watches, events to
a file that the flow reads, shows, and projects into MLflow.
"""

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stemma.errors import TrainingError
from stemma.stage.deadline import Deadline
from stemma.stage.durable import sync, write_whole
from stemma.stage.live_lines import LiveLines

HISTORY = "history.csv"
ROWS = "history.jsonl"
"""The history while a stage works, in its scratch folder."""


class Progress(LiveLines):
    """The history of one stage's training, and its live events."""

    def __init__(self, stage: str, scratch: Path, events: Path | None = None) -> None:
        super().__init__(stage, events)
        self._scratch = scratch
        self._rows = scratch / ROWS
        self._kept = 0
        self._deadline = Deadline.from_environment()

    def log(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step (counted from 1) out of a total.

        Raises TrainingError where a number is not finite.
        """
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise self.diverged(f"{name} is {value}", step, total)
        self._add({"step": step, **{name: float(value) for name, value in metrics.items()}})
        self._emit({"step": step, "total": total, "metrics": dict(metrics)})
        self._print_step(step, total, metrics)

    def diverged(self, what: str, step: int, total: int, rate: str = "learning_rate") -> TrainingError:
        """The error of training whose numbers are no longer finite: what, where, what is kept, the remedy.

        `rate` is the stage's setting that made its steps too long.
        """
        kept = f"the step checkpoint of step {self._kept}" if self._kept else "no step checkpoint yet"
        return TrainingError(
            f"{self._name} diverged: {what} at step {step} of {total}. Lower {self._name}.{rate}. "
            f"In {self._scratch} are the numbers before it and {kept}."
        )

    def waits(self, text: str) -> None:
        """Tell whoever watches what the stage waits for before it begins."""
        self._emit({"waits": text})
        if not self._events:
            print(f"{self._name} {text}", flush=True)

    def waited(self, seconds: float) -> None:
        """Note that the stage begins now and has waited so long, in which its budget was not touched."""
        self._deadline = self._deadline.postponed(seconds)
        self._deadline.tell()
        self._emit({"waited": seconds})

    def enforce_deadline(self, stop: Callable[[str], None]) -> None:
        """Call `stop` with a reason, from a thread, once the stage must stop wherever it is."""
        self._deadline.enforce(stop)

    def wants_checkpoint(self) -> bool:
        """Whether a step checkpoint should be written now, out of turn, because the stage must stop.

        Several ranks must agree on it: each asks its own clock, and the first one's word counts.
        """
        return self._deadline.is_over()

    def kept(self, step: int) -> None:
        """Note that the step checkpoint of a step is whole.

        Raises BudgetError where the run's budget is spent: this is the moment to stop without losing any work.
        """
        self._kept = step
        self._deadline.check(f"step {step} is kept, to go on from")

    def resume_from(self, step: int) -> None:
        """Forget the rows after a step, because training goes on from that step's checkpoint; 0 where there is none."""
        rows = [row for row in self.rows() if 0 < step >= row["step"]]
        self._kept = step
        self._keep(rows)
        if step:
            self._emit({"resumed": step})
            self.say(f"resumes from step {step}")

    def rows(self) -> list[dict[str, float]]:
        """The history so far; a row cut short by a kill is left out."""
        if not self._rows.exists():
            return []
        whole, _, _ = self._rows.read_text(encoding="utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def write_history(self, folder: Path) -> None:
        """Write the history as a CSV file into an artifact, where there is one."""
        rows = self.rows()
        if not rows:
            return
        names = sorted({name for row in rows for name in row} - {"step"})
        with (folder / HISTORY).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, ["step", *names], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def _add(self, row: Mapping[str, float]) -> None:
        with self._rows.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        sync(self._rows)  # a step checkpoint that the disk has must not be without the rows before it

    def _keep(self, rows: Sequence[Mapping[str, float]]) -> None:
        write_whole(self._rows, "".join(json.dumps(row) + "\n" for row in rows).encode())


class UnheardProgress(Progress):
    """The progress of every rank but the first: it sees the same numbers and stops for the same reasons, in silence."""

    def _add(self, row: Mapping[str, float]) -> None:
        pass

    def _keep(self, rows: Sequence[Mapping[str, float]]) -> None:
        pass

    def _print(self, line: str) -> None:
        pass
