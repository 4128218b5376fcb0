"""Whether the stages of a flow can share their work among machine.processes: asked before any of it is done."""

from flows.settings import FlowSettings, stage_values
from stemma.stage.resources import ResourcesConfig, needs_of
from stemma.training.ppo_settings import check_processes
from stemma.training.settings import TrainerSettings, rows_a_forward


def check_shares(settings: FlowSettings, policy: str) -> None:
    """Raise SettingsError, naming the setting, where a stage on the way to the policy `ppo` or `dpo` cannot, or where
    one takes more GPUs than it has processes, or fewer.
    """
    names = ["sft", "judge", "reward"] if policy == "ppo" else ["sft", "judge", "dpo"]
    for name in names:
        section: TrainerSettings = getattr(settings, name)
        rows_a_forward(section, name, settings.machine.processes)
    if policy == "ppo":
        check_processes(getattr(settings, policy), settings.machine)
    params = stage_values(settings)
    for name in ResourcesConfig.model_fields:
        needs_of(name, params)
