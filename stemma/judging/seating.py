"""AI judges from their settings."""

from stemma.config import MachineConfig
from stemma.errors import SettingsError
from stemma.judging.ai_settings import AiJudgeConfig, EndpointConfig, LocalConfig, PanelConfig, RewardModelConfig
from stemma.judging.case import AiJudge
from stemma.judging.text_judge import Bench, TextJudge


def seat(config: AiJudgeConfig, machine: MachineConfig, bench: Bench) -> AiJudge:
    """Make a judge ready to be asked.

    Raises SettingsError where its weights are not the recorded ones or the constitution is not fit for it,
    ArtifactError where its folder holds none, ServiceError where a Hub repository cannot be fetched.
    """
    verdicts = bench.constitution.compare.verdicts
    if isinstance(config, PanelConfig):
        from stemma.judging.panel import Panel

        return Panel(config.name, [seat(member, machine, bench) for member in config.members])
    if (
        not isinstance(config, RewardModelConfig)
        and config.reasoning
        and bench.constitution.compare.with_reasons is None
    ):
        raise SettingsError(
            f"judge {config.name} is to reason, and constitution {bench.constitution.name} does not say how its "
            "verdict is to end: write compare.with_reasons, or set reasoning to false"
        )
    if isinstance(config, EndpointConfig):
        from stemma.judging.endpoint import Endpoint

        return TextJudge(config.name, Endpoint(config, verdicts), config.reasoning, bench)
    if isinstance(config, LocalConfig):
        from stemma.judging.local_model import LocalModel

        return TextJudge(config.name, LocalModel(config, verdicts, machine), config.reasoning, bench)
    from stemma.judging.reward_pairs import RewardPairJudge

    return RewardPairJudge(config, machine)
