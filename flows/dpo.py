"""data → base → sft → sample → ai_label → label → judge → dpo → eval → register."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.form_settings import from_form
from flows.people.suspension import Waiting
from flows.pipeline import run_name, run_pipeline
from flows.planning.dry_run import Planned
from flows.result_page import FlowReport
from flows.settings import DpoSettings

STAGES = ("data", "base", "sft", "sample", "ai_label", "label", "judge", "dpo", "eval_dpo")

DEFAULTS = DpoSettings()


@flow(name="dpo", flow_run_name=run_name)
def dpo(
    settings: DpoSettings = DEFAULTS, name: str = "", dry_run: bool = False, profile: str = ""
) -> FlowReport | State[Waiting] | State[Planned]:
    """Align a policy straight from the pairs.

    Args:
        settings: Every stage's settings.
        name: The run's name; empty lets Prefect choose one.
        dry_run: Only tell what would run, why, and what it would cost.
        profile: A named set of settings from profiles/, under whatever is changed here.
    """
    return run_pipeline("dpo", STAGES, "dpo", from_form(settings, profile), name, dry_run)
