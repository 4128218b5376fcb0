"""data → base → sft → sample → ai_label → label → judge → dpo → eval → register."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.pipeline import FlowReport, run_name, run_pipeline
from flows.settings import DpoSettings
from flows.suspension import Waiting

STAGES = ("data", "base", "sft", "sample", "ai_label", "label", "judge", "dpo", "eval_dpo")

DEFAULTS = DpoSettings()


@flow(name="dpo", flow_run_name=run_name)
def dpo(settings: DpoSettings = DEFAULTS, name: str = "") -> FlowReport | State[Waiting]:
    """Align a policy straight from the pairs.

    Args:
        settings: Every stage's settings.
        name: The run's name; empty lets Prefect choose one.
    """
    return run_pipeline("dpo", STAGES, "dpo", settings, name)
