"""What a run may spend, and what happens where that is not enough."""

from dataclasses import dataclass

from pydantic import Field

from stemma.config import Settings
from stemma.errors import BudgetError, SettingsError

SECONDS_AN_HOUR = 3600.0
GIB = float(1 << 30)
GRACE = 60.0
"""Seconds past the budget that a stage may take to its next row of numbers, where it stops without losing any work."""


class BudgetConfig(Settings):
    """What a run may spend, over all its attempts; nobody's bytes depend on it."""

    hours: float | None = Field(None, gt=0)
    """Hours that its stages may take; empty sets no limit."""
    gpu_hours: float | None = Field(None, gt=0)
    """GPU-hours that they may take, a stage's hours times its GPUs; empty sets no limit."""
    disk_gib: float | None = Field(None, gt=0)
    """GiB that the artifacts it makes may take on the disk; empty sets no limit."""


@dataclass(frozen=True)
class Cost:
    """Time and room that something takes."""

    seconds: float = 0.0
    gpu_seconds: float = 0.0
    bytes: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.gpu_seconds + other.gpu_seconds, self.bytes + other.bytes)


def seconds_left(budget: BudgetConfig, spent: Cost, gpus: int) -> float:
    """How long a stage on that many GPUs may take; infinite where nothing limits it."""
    left = [float("inf")]
    if budget.hours is not None:
        left.append(budget.hours * SECONDS_AN_HOUR - spent.seconds)
    if budget.gpu_hours is not None and gpus:
        left.append((budget.gpu_hours * SECONDS_AN_HOUR - spent.gpu_seconds) / gpus)
    if budget.disk_gib is not None and spent.bytes >= budget.disk_gib * GIB:
        left.append(0.0)
    return max(min(left), 0.0)


def beyond(budget: BudgetConfig, spent: Cost, planned: Cost) -> list[str]:
    """By how much a plan, on top of what is spent, goes beyond the budget; a line a limit, none where it does not."""
    return [
        f"budget.{key} is {limit:g}, and the plan needs about {used + needs:.3g}"
        + (f", of which {used:.3g} are spent already" if used else "")
        for key, limit, used, needs in _sides(budget, spent, planned)
        if used + needs > limit
    ]


def refuse_plan(budget: BudgetConfig, spent: Cost, planned: Cost) -> None:
    """Raise SettingsError where a plan goes beyond the budget."""
    faults = beyond(budget, spent, planned)
    if faults:
        raise SettingsError(
            f"the plan is beyond the budget, so nothing was begun: {'; '.join(faults)}. Raise it in params.yaml or "
            "with --set budget.KEY=VALUE, or change the settings so that less runs."
        )


def refuse_more(budget: BudgetConfig, spent: Cost, run: str, stage: str, state: str) -> None:
    """Raise BudgetError where the budget is spent; `state` tells how far the stage is that was at work."""
    over = [
        f"budget.{key} is {limit:g}, and {used:.3g} are spent"
        for key, limit, used, _ in _sides(budget, spent, Cost())
        if used >= limit
    ]
    if over:
        raise BudgetError(
            f"run {run} stopped in {stage}: {state}.\n{'; '.join(over)}. What is finished is kept. To go on, raise the "
            f"budget and give the same command again with --name {run}: it begins where this one stopped."
        )


def _sides(budget: BudgetConfig, spent: Cost, planned: Cost) -> list[tuple[str, float, float, float]]:
    """Each limit that is set, by its key: the limit, what is spent of it, and what is planned."""
    sides = [
        ("hours", budget.hours, spent.seconds / SECONDS_AN_HOUR, planned.seconds / SECONDS_AN_HOUR),
        ("gpu_hours", budget.gpu_hours, spent.gpu_seconds / SECONDS_AN_HOUR, planned.gpu_seconds / SECONDS_AN_HOUR),
        ("disk_gib", budget.disk_gib, spent.bytes / GIB, planned.bytes / GIB),
    ]
    return [(key, limit, used, needs) for key, limit, used, needs in sides if limit is not None]
