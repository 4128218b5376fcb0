"""AI judges as a run takes them: only where its labels come from them, each with the hash of its weights."""

from pathlib import Path
from typing import TypeVar

from flows.settings import ASK_PEOPLE, FlowSettings
from stemma.errors import SettingsError
from stemma.judging.ai_settings import AiJudgeConfig, LocalConfig, PanelConfig, RewardModelConfig

S = TypeVar("S", bound=FlowSettings)
USES_JUDGES = ("ai", "mixed")


def check_judges(settings: FlowSettings) -> None:
    """Raise SettingsError where AI judges are needed and none is named."""
    reason = _needs_judges(settings)
    if reason and not settings.ai_label.judges:
        raise SettingsError(
            f"{reason}, and ai_label.judges names no judge; name one, for instance "
            "--set 'ai_label.judges=[{kind: endpoint, name: qwen, base_url: http://127.0.0.1:8000/v1, model: qwen}]'"
        )


def with_judges(root: Path, settings: S) -> S:
    """The settings with every judge's folder and weights settled; no judges where nobody needs their word.

    Raises SettingsError where a judge is missing or its folder is, ArtifactError where that is damaged.
    """
    check_judges(settings)
    named = settings.ai_label.judges if _needs_judges(settings) else ()
    judges = tuple(settled(root, judge) for judge in named)
    return settings.model_copy(update={"ai_label": settings.ai_label.model_copy(update={"judges": judges})})


def _needs_judges(settings: FlowSettings) -> str:
    """What AI judges are needed for; empty where they are not."""
    if settings.label.source in USES_JUDGES:
        return f"label.source is {settings.label.source}"
    if settings.label.source in ASK_PEOPLE and settings.human.order == "uncertain":
        return "human.order is uncertain"
    return ""


def settled(root: Path, judge: AiJudgeConfig) -> AiJudgeConfig:
    """A judge with its folder's place and the hash of its weights.

    Raises SettingsError where the folder is missing or holds other weights, ArtifactError where it is damaged.
    """
    if isinstance(judge, PanelConfig):
        return judge.model_copy(update={"members": tuple(settled(root, member) for member in judge.members)})
    if isinstance(judge, RewardModelConfig) or (isinstance(judge, LocalConfig) and not judge.revision):
        from stemma.judging.weights import check_weights, weights_sha256

        folder = (root / judge.model).resolve()
        weights = judge.weights_sha256 or weights_sha256(folder)
        check_weights(judge.name, folder, weights)
        return judge.model_copy(update={"model": str(folder), "weights_sha256": weights})
    return judge
