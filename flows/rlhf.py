"""data → base → sft → sample → ai_label → label → judge → reward → ppo → eval → register."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.form_settings import from_form
from flows.people.suspension import Waiting
from flows.pipeline import run_name, run_pipeline
from flows.planning.dry_run import Planned
from flows.result_page import FlowReport
from flows.settings import RlhfSettings

STAGES = ("data", "base", "sft", "sample", "ai_label", "label", "judge", "reward", "ppo", "eval_ppo")

DEFAULTS = RlhfSettings()


@flow(name="rlhf", flow_run_name=run_name)
def rlhf(
    settings: RlhfSettings = DEFAULTS, name: str = "", dry_run: bool = False, profile: str = ""
) -> FlowReport | State[Waiting] | State[Planned]:
    """Align a policy by a reward model and PPO.

    Args:
        settings: Every stage's settings.
        name: The run's name; empty lets Prefect choose one.
        dry_run: Only tell what would run, why, and what it would cost.
        profile: A named set of settings from profiles/, under whatever is changed here.
    """
    return run_pipeline("rlhf", STAGES, "ppo", from_form(settings, profile), name, dry_run)
