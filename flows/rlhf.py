"""data → base → sft → sample → ai_label → label → judge → reward → ppo → eval → register."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.pipeline import FlowReport, run_name, run_pipeline
from flows.settings import RlhfSettings
from flows.suspension import Waiting

STAGES = ("data", "base", "sft", "sample", "ai_label", "label", "judge", "reward", "ppo", "eval_ppo")

DEFAULTS = RlhfSettings()


@flow(name="rlhf", flow_run_name=run_name)
def rlhf(settings: RlhfSettings = DEFAULTS, name: str = "") -> FlowReport | State[Waiting]:
    """Align a policy by a reward model and PPO.

    Args:
        settings: Every stage's settings.
        name: The run's name; empty lets Prefect choose one.
    """
    return run_pipeline("rlhf", STAGES, "ppo", settings, name)
