"""What a run will do, why, and what that costs by the measure of past runs: told before anything is spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

from flows.hardware import gpus_of, machine_kind
from flows.people.human_labels import FOLDER as LABELS
from flows.planning.budget import Cost
from flows.planning.comparable import RECENT_RUNS, is_comparable, raw_inputs_of
from flows.planning.spending import Spending
from flows.settings import ASK_PEOPLE, FlowSettings, stage_values
from stemma.lineage.dvc import Pipeline
from stemma.lineage.explain import NEVER_RUN, against, changes, explain, listed
from stemma.lineage.forecast import Forecast, forecast
from stemma.lineage.runs import Run, newest_with
from stemma.stage.definition import ARTIFACTS

MEASURED_RUNS = 5
"""Runs whose median is the estimate: enough that one on a busy machine does not count, few enough to be recent."""


@dataclass(frozen=True)
class PlannedStage:
    """One line of a plan."""

    stage: str
    runs: bool
    why: str
    gpus: int
    seconds: float | None
    """Estimate of its time; None where it was never measured on such a machine, of this model, context and data."""
    bytes: int | None
    """Size of what it makes; None where no run of this model, context and data made it."""


@dataclass(frozen=True)
class Plan:
    """What becomes of each stage, in order."""

    stages: tuple[PlannedStage, ...]

    @property
    def running(self) -> list[PlannedStage]:
        """The stages that run; the others are restored."""
        return [stage for stage in self.stages if stage.runs]

    def cost(self) -> Cost:
        """What is known of the cost of all stages that run."""
        cost = Cost()
        for stage in self.running:
            seconds = stage.seconds or 0.0
            cost += Cost(seconds, seconds * stage.gpus, stage.bytes or 0)
        return cost


def make_plan(
    pipeline: Pipeline, stages: Sequence[str], settings: FlowSettings, earlier: Sequence[Run], spending: Spending
) -> Plan:
    """Foresee a run's stages; `earlier` are the runs on record, newest first. Nothing is changed."""
    unknown = {LABELS} if settings.label.source in ASK_PEOPLE else set()
    foreseen = forecast(pipeline, stages, unknown)
    inputs = {path: md5 for one in foreseen for path, md5 in raw_inputs_of(one.entry["deps"]).items()}
    like = [run for run in earlier[:RECENT_RUNS] if is_comparable(run, stage_values(settings), inputs)]
    past = Past(earlier, like, machine_kind(settings), spending)
    return Plan(tuple(_planned(one, gpus_of(settings, pipeline.definitions[one.stage]), past) for one in foreseen))


@dataclass(frozen=True)
class Past:
    """What earlier runs say of this one."""

    runs: Sequence[Run]
    """All of them, newest first: why a stage runs is told against the newest."""
    comparable: Sequence[Run]
    """Those that had the same model, context and rows: times and sizes are theirs."""
    kind: str
    """The kind of this machine."""
    spending: Spending


def _planned(one: Forecast, gpus: int, past: Past) -> PlannedStage:
    if not one.runs:
        return PlannedStage(one.stage, False, "nothing changed", gpus, 0.0, 0)
    times = (run.seconds[one.stage] for run in past.comparable if run.machine == past.kind and one.stage in run.seconds)
    measured = list(islice(times, MEASURED_RUNS))
    seconds = max(median(measured) - past.spending.unfinished(one.stage), 0.0) if measured else None
    like = newest_with(past.comparable, one.stage)
    size = sum(out.get("size", 0) for out in like.lock[one.stage]["outs"]) if like else None
    return PlannedStage(one.stage, True, _why(one, newest_with(past.runs, one.stage)), gpus, seconds, size)


def _why(one: Forecast, before: Run | None) -> str:
    """What changed of a stage, and what will have changed once the stages before it have run."""
    if before is None:
        return NEVER_RUN
    entry = before.lock[one.stage]
    if not one.unknown:
        return explain(one.stage, one.entry, entry, before.name)
    old = {dep["path"]: dep for dep in entry["deps"]}
    # What is not known yet is told as such, and not as a change.
    deps = [old.get(dep["path"], dep) if dep["path"] in one.unknown else dep for dep in one.entry["deps"]]
    news = ", ".join(path.removeprefix(f"{ARTIFACTS}/") for path in one.unknown)
    changed = changes({**one.entry, "deps": deps}, entry)
    return against(listed([*changed, f"{news} will be new"]), before.name) if changed else f"{news} will be new"
