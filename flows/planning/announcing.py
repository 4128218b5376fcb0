"""A run tells its plan before it begins, and does not begin where that is beyond its budget."""

from collections.abc import Sequence

from flows.hardware import machine_kind, slow_machine
from flows.planning.budget import refuse_plan
from flows.planning.plan import make_plan
from flows.planning.plan_page import plan_page
from flows.stage_run import StageRunner


def announce_plan(runner: StageRunner, stages: Sequence[str]) -> None:
    """Tell the plan of a run.

    Raises SettingsError where it is beyond the budget.
    """
    plan = make_plan(runner.pipeline, stages, runner.settings, runner.earlier, runner.spending)
    runner.say(plan_page(plan, runner.workspace.name, machine_kind(runner.settings)))
    if warning := slow_machine(runner.settings):
        runner.say(warning)
    if plan.running:
        refuse_plan(runner.settings.budget, runner.spending.total(), plan.cost())
