"""A run that stops at its plan and leaves nothing behind."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import BaseModel

from flows.beginning import begin
from flows.hardware import machine_kind, slow_machine
from flows.own_data import check_own_data
from flows.people.human_labels import check_people
from flows.planning.budget import refuse_plan
from flows.planning.plan import make_plan
from flows.planning.plan_page import plan_page
from flows.planning.spending import Spending
from flows.round import Round, take_inputs
from flows.settings import FlowSettings
from stemma.errors import SettingsError
from stemma.lineage.draft import open_draft
from stemma.lineage.dvc import Pipeline
from stemma.lineage.workspace import check_disk


class Planned(BaseModel):
    """The plan of a run that was not begun."""

    run: str
    words: str


def plan_only(
    root: Path, policy: str, stages: Sequence[str], settings: FlowSettings, name: str, this_round: Round | None
) -> State[Planned]:
    """Plan a run in the state that a flow ends in which was only to plan.

    Raises StemmaError where the run could not begin.
    """
    words = plan_words(root, policy, stages, settings, name, this_round)
    return Completed(name="Planned", message=words, data=Planned(run=name, words=words))


def plan_words(
    root: Path, policy: str, stages: Sequence[str], settings: FlowSettings, name: str, this_round: Round | None
) -> str:
    """The plan of a run, after everything is checked that a run checks before its stages.

    Raises StemmaError where the run could not begin; where its plan is beyond the budget, with the plan.
    """
    check_disk(root)
    beginning, spending = begin(root, policy, settings, name), Spending(root, name)
    check_people(root, beginning.settings)
    check_own_data(beginning.settings, beginning.files)
    with (
        open_draft(root, beginning.start, beginning.params, beginning.files) as path,
        closing(Pipeline(path)) as pipeline,
    ):
        take_inputs(root, path, this_round)
        plan = make_plan(pipeline, stages, beginning.settings, beginning.earlier, spending)
    page = plan_page(plan, name, machine_kind(beginning.settings))
    if warning := slow_machine(beginning.settings):
        page = f"{page}\n  {warning}"
    if plan.running:
        try:
            refuse_plan(beginning.settings.budget, spending.total(), plan.cost())
        except SettingsError as error:
            raise SettingsError(f"{error}\n{page}") from None
    return page
