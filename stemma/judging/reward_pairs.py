"""A reward model as a judge of pairs: P(first is better) = σ(r₁ − r₂) (Bradley and Terry 1952)."""

import math
from collections.abc import Sequence
from pathlib import Path

from stemma.config import MachineConfig
from stemma.judging.ai_settings import RewardModelConfig
from stemma.judging.case import PROBABILITY_DIGITS, Case, Opinion
from stemma.judging.reward_judge import RewardModelJudge
from stemma.judging.weights import check_weights
from stemma.records.types import Origin


class RewardPairJudge:
    """Compares answers by their scores; it reads each answer by itself, so there is no order to average over."""

    def __init__(self, config: RewardModelConfig, machine: MachineConfig) -> None:
        """Load the reward model.

        Raises SettingsError where the folder's content is not what the settings say, ArtifactError where it holds no
        reward model.
        """
        self.name = config.name
        self.broken: dict[str, int] = {}
        folder = Path(config.model)
        check_weights(config.name, folder, config.weights_sha256)
        self._weights = config.weights_sha256
        self._scorer = RewardModelJudge(folder, machine, config.batch_size)

    def opinions(self, cases: Sequence[Case]) -> list[Opinion | None]:
        """An opinion of every case."""
        prompts = [case.prompt for case in cases for _ in range(2)]
        answers = [answer for case in cases for answer in (case.first, case.second)]
        scores = self._scorer.score(prompts, answers)
        return [self._opinion(first, second) for first, second in zip(scores[::2], scores[1::2], strict=True)]

    def _opinion(self, first: float, second: float) -> Opinion:
        scores = [round(score, PROBABILITY_DIGITS) for score in (first, second)]
        origin: Origin = {
            "model": {"kind": "reward_model", "weights_sha256": self._weights},
            "raw": {"scores": list(scores)},
        }
        return Opinion(sigmoid(first - second), origin)


def sigmoid(margin: float) -> float:
    """1 / (1 + exp(−margin)), for any finite margin."""
    return 1 / (1 + math.exp(-margin)) if margin >= 0 else math.exp(margin) / (1 + math.exp(margin))
