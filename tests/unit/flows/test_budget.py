"""Budgets by sums done by hand."""

import pytest

from flows.planning.budget import BudgetConfig, Cost, beyond, refuse_more, refuse_plan, seconds_left
from stemma.errors import BudgetError, SettingsError

GIB = 1 << 30
SPENT = Cost(seconds=1800, gpu_seconds=3600, bytes=GIB // 2)


def test_costs_add_up() -> None:
    assert Cost(1, 2, 3) + Cost(10, 20, 30) == Cost(11, 22, 33)


@pytest.mark.parametrize(
    ("budget", "gpus", "left"),
    [
        (BudgetConfig(), 2, float("inf")),
        (BudgetConfig(hours=2), 0, 5400),
        (BudgetConfig(gpu_hours=2), 2, 1800),
        (BudgetConfig(gpu_hours=2), 0, float("inf")),
        (BudgetConfig(hours=0.6, gpu_hours=2), 2, 360),
        (BudgetConfig(hours=0.25), 0, 0),
        (BudgetConfig(disk_gib=0.6), 0, float("inf")),
        (BudgetConfig(disk_gib=0.5), 0, 0),
    ],
)
def test_how_long_a_stage_may_take(budget: BudgetConfig, gpus: int, left: float) -> None:
    assert seconds_left(budget, SPENT, gpus) == pytest.approx(left)


def test_a_plan_within_the_budget() -> None:
    budget = BudgetConfig(hours=1, gpu_hours=1.5, disk_gib=1)
    assert beyond(budget, SPENT, Cost(1800, 1800, GIB // 2)) == []
    refuse_plan(budget, SPENT, Cost(1800, 1800, GIB // 2))
    refuse_more(budget, SPENT, "r", "ppo", "")


def test_a_plan_beyond_it_is_refused_with_every_number() -> None:
    budget = BudgetConfig(hours=1, gpu_hours=1.25, disk_gib=2)
    with pytest.raises(SettingsError) as refused:
        refuse_plan(budget, SPENT, Cost(5400, 1800, GIB))
    told = str(refused.value)
    assert "budget.hours is 1, and the plan needs about 2, of which 0.5 are spent already" in told
    assert "budget.gpu_hours is 1.25, and the plan needs about 1.5, of which 1 are spent already" in told
    assert "disk_gib" not in told
    assert "--set budget.KEY=VALUE" in told


def test_a_spent_budget_says_how_to_go_on() -> None:
    with pytest.raises(BudgetError) as stopped:
        refuse_more(BudgetConfig(hours=0.5, gpu_hours=9), SPENT, "may", "ppo", "step 4 is kept")
    told = str(stopped.value)
    assert told.startswith("run may stopped in ppo: step 4 is kept.\nbudget.hours is 0.5, and 0.5 are spent. ")
    assert "--name may" in told
    assert "gpu_hours" not in told
