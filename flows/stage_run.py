"""One stage of a flow run: DVC brings it up to date, and what it says is shown and projected into MLflow."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flows.display import Display
from flows.hardware import gpus_of
from flows.memory import remedy, with_less_at_once
from flows.pictures import show_pictures
from flows.planning.budget import GRACE, refuse_more, seconds_left
from flows.planning.spending import Spending
from flows.projection import Projection
from flows.settings import FlowSettings, section, stage_values
from flows.watch import Event, Watch
from stemma.config import write_yaml
from stemma.errors import OutOfMemoryError, StemmaError
from stemma.lineage.dvc import LockEntry, Pipeline, StageFailedError
from stemma.lineage.exchange import Exchange
from stemma.lineage.explain import NEVER_RUN, explain
from stemma.lineage.placeholders import empty_inputs
from stemma.lineage.runs import Run, artifact_id, maker_of, newest_with
from stemma.lineage.workspace import Workspace, check_disk
from stemma.stage.deadline import DEADLINE_VARIABLE, UNLIMITED, Deadline
from stemma.stage.definition import PARAMS_FILE, scratch_name
from stemma.stage.locks import lock, try_lock
from stemma.view.live_run import MlflowView

MOST_PRINTED = 200_000
"""As many characters of a stage's own output as MLflow keeps, its end."""


@dataclass
class StageRunner:
    """Runs the stages of one flow run in its workspace."""

    workspace: Workspace
    settings: FlowSettings
    pipeline: Pipeline
    projection: Projection
    display: Display
    log: Callable[[str], None]
    earlier: list[Run]
    """The runs on record when this one began, newest first."""
    tainted: dict[str, str]
    """Why an artifact is tainted, by DVC id: what was forgotten on request must not come back unseen."""
    spending: Spending
    """What the run has spent."""
    keep_settings: Callable[[], None]
    """Puts the workspace's settings on record, because they changed after the run began."""
    goes_on: bool = False
    """Whether this run was at work before, perhaps on another machine: what no run on record made, it made then."""
    exchange: Exchange | None = None
    """With other machines, where the project is shared."""
    artifacts: dict[str, str] = field(default_factory=dict)
    """DVC id of every stage's artifact, in order."""
    ran: list[str] = field(default_factory=list)
    """The stages that ran; the others were restored."""
    _said_before: int = 0
    """How many lines the terminal showed before the stage at work."""

    def run(self, stage: str) -> str:
        """Bring a stage up to date and return its artifact's DVC id.

        One that trains and does not fit the memory is run again with less at once.
        Raises StemmaError with the stage's own message where it fails.
        """
        while True:
            try:
                return self._attempt(stage)
            except OutOfMemoryError as error:
                self._take_less_at_once(stage, error)

    def _attempt(self, stage: str) -> str:
        definition = self.pipeline.definitions[stage]
        self._said_before = len(self.display.lines)
        folder = self.workspace.root / ".stemma" / "scratch"
        self.projection.post(MlflowView.begin_stage, stage, section(self.settings, definition.section))
        scratch = folder / scratch_name(self.workspace.path, definition)
        with self._alone(stage, scratch.with_name(f"{scratch.name}.flow.lock")):
            check_disk(self.workspace.root)
            if self.exchange:
                self.exchange.begin(self.pipeline, stage, scratch)
            made = self._reproduce(stage, scratch.name)
            if self.exchange:
                self.exchange.end(self.pipeline, stage, scratch, ran=stage in self.ran)
            return made

    @contextmanager
    def _alone(self, stage: str, file: Path) -> Iterator[None]:
        """Hold the lock of a stage with its settings and inputs: another run that comes to the same takes it over."""
        with try_lock(file) as held:
            if held:
                yield
                return
        self.say(f"{stage} waits: another run is making the same")
        with lock(file):
            yield

    def _take_less_at_once(self, stage: str, error: OutOfMemoryError) -> None:
        """Change the run's settings so that the stage takes less memory, and put them on record.

        Raises OutOfMemoryError where nothing is left to change.
        """
        name = self.pipeline.definitions[stage].section
        smaller = with_less_at_once(self.settings, name)
        if smaller is None:
            raise OutOfMemoryError(f"{error}\n{remedy(self.settings, name)}") from error
        self.settings, words = smaller
        write_yaml(self.workspace.path / PARAMS_FILE, {name: stage_values(self.settings)[name]})
        self.say(f"{error}\n{stage} is run again with {words}; a step learns from as many rows as before")
        # What the attempt said is not what the next one says: whether it runs at all, its steps, how it ends.
        (self.workspace.logs / f"{stage}.jsonl").unlink(missing_ok=True)
        (self.workspace.logs / f"{stage}.log").replace(self.workspace.logs / f"{stage}.out-of-memory.log")
        self.keep_settings()

    def _reproduce(self, stage: str, key: str) -> str:
        logs = self.workspace.logs
        watch = Watch(
            logs / f"{stage}.jsonl",
            logs / f"{stage}.log",
            lambda: self._begin(stage),
            lambda events: self._show(stage, events),
            lambda: self.display.at_work(stage),
        )
        began, gpus = time.monotonic(), gpus_of(self.settings, self.pipeline.definitions[stage])
        try:
            with self.spending.count(stage, key, gpus, lambda: watch.ran, watch.waited), watch:
                self._set_deadline(gpus)
                self.pipeline.reproduce(stage)
        except StageFailedError as error:
            refuse_more(self.settings.budget, self.spending.total(), self.workspace.name, stage, watch.error)
            kind = OutOfMemoryError if watch.kind == OutOfMemoryError.__name__ else StemmaError
            reason = watch.error or self._last_words(stage, error)
            self.projection.post(MlflowView.fail_stage, stage, reason, self._transcript(stage))
            raise kind(f"{stage} failed. {reason}") from error
        finally:
            self.display.end_stage()
        entry = self.pipeline.locked(stage)
        self.artifacts[stage] = artifact_id(entry)
        if self.artifacts[stage] in self.tainted:
            self.say(f"{stage} is TAINTED: {self.tainted[self.artifacts[stage]]}")
        if watch.ran:
            self.ran.append(stage)
            self.display.done(stage)
            waited = f", after it waited {watch.waited():.0f} s for its slot" if watch.waited() >= 1 else ""
            self.say(f"{stage} done in {time.monotonic() - began - watch.waited():.0f} s{waited}")
            self._record_ran(stage, entry)
            self.spending.made(stage, sum(out.get("size", 0) for out in entry["outs"]))
        elif (self.goes_on or self.spending.knows(key)) and maker_of(self.earlier, stage, artifact_id(entry)) is None:
            self.ran.append(stage)
            self.say(f"{stage} is restored: this run made it before")
            self._show_end(stage, entry, {"stemma.state": "ran"})
        else:
            self._record_restored(stage, entry)
        return self.artifacts[stage]

    def _begin(self, stage: str) -> None:
        self.say(f"{stage} runs: {self._reason(stage, self.pipeline.pending(stage))}")
        self.display.begin(stage)

    def _set_deadline(self, gpus: int) -> None:
        """Tell the stage that begins now when the budget will be spent."""
        now = time.monotonic()
        left = seconds_left(self.settings.budget, self.spending.total(), gpus)
        os.environ[DEADLINE_VARIABLE] = str(Deadline(now + left, now + left + GRACE)) if left < UNLIMITED else ""

    def _reason(self, stage: str, now: LockEntry) -> str:
        """Why DVC runs the stage: what differs from the newest run that has it."""
        before = newest_with(self.earlier, stage)
        return explain(stage, now, before.lock[stage], before.name) if before else NEVER_RUN

    def _record_ran(self, stage: str, entry: LockEntry) -> None:
        self._show_end(stage, entry, {"stemma.state": "ran", "stemma.reason": self._reason(stage, entry)})
        self.projection.post(show_pictures, self.workspace.path, stage)

    def _record_restored(self, stage: str, entry: LockEntry) -> None:
        maker = maker_of(self.earlier, stage, artifact_id(entry))
        self.say(f"{stage} is restored: nothing changed" + (f", run {maker.name} made it" if maker else ""))
        self._show_end(stage, entry, {"stemma.state": "cached", "stemma.made_by": maker.name if maker else ""})

    def _show_end(self, stage: str, entry: LockEntry, tags: dict[str, str]) -> None:
        empty = empty_inputs(self.workspace.path, entry, stage_values(self.settings))
        log = self._transcript(stage)
        self.projection.post(MlflowView.end_stage, stage, entry, self.metrics(stage), tags, log, empty)

    def _transcript(self, stage: str) -> str:
        """What the terminal showed of a stage, then what the stage itself printed."""
        said = self.display.lines[self._said_before :]
        log = self.workspace.logs / f"{stage}.log"
        printed = log.read_text(encoding="utf-8", errors="replace")[-MOST_PRINTED:] if log.exists() else ""
        return "\n".join([*said, *([f"--- printed by {stage} ---", printed] if printed.strip() else [])]) + "\n"

    def metrics(self, stage: str) -> dict[str, float]:
        """The numbers in a stage's metrics file; empty where it has none."""
        path = self.workspace.path / "metrics" / f"{stage}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def _show(self, stage: str, events: list[Event]) -> None:
        steps = [event for event in events if "step" in event]
        places = [(event.get("at", event.get("step")), event["total"]) for event in events if "total" in event]
        for event in events:
            if "resumed" in event:
                self.spending.resumed(stage)
            if "waits" in event:
                self.say(f"{stage} {event['waits']}")
            if "waited" in event:
                self.display.begin(stage)
            if "say" in event:
                self.say(f"{stage}: {event['say']}")
        if places:
            self.display.step(stage, *places[-1], steps[-1]["metrics"] if steps else {})
        if steps:
            self.projection.post(MlflowView.log_steps, stage, steps)

    def say(self, text: str) -> None:
        """Tell the person, and the flow run's log."""
        self.display.say(text)
        self.log(text)

    def _last_words(self, stage: str, error: StageFailedError) -> str:
        log = self.workspace.logs / f"{stage}.log"
        if not log.exists():
            return str(error)
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        return "\n".join([str(error), f"The last lines of {log}:", *(f"  {line}" for line in tail)])
