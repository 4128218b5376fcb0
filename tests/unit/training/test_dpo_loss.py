"""DPO's loss of soft labels, worked by hand; plain labels have TRL's own."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
from torch import tensor

from stemma.training.dpo import _EncodedTrainer, _implicit_rewards

BATCH = {
    "ref_chosen_logps": tensor([-3.0, -1.0]),
    "ref_rejected_logps": tensor([-2.0, -4.0]),
    "completion_mask": tensor([[0, 1, 1], [0, 1, 0], [0, 1, 1], [0, 1, 1]]),
}
LOGPROBS = tensor([[-1.0, -1.0], [-2.0, 0.0], [-1.5, -1.5], [-2.0, -1.0]])
"""Chosen answers, then rejected ones; the second chosen answer has one token."""
TARGETS, WEIGHTS = tensor([0.9, 0.6]), tensor([1.0, 0.5])
MARGINS = ((-2.0 + 3.0) - (-3.0 + 2.0), (-2.0 + 1.0) - (-3.0 + 4.0))


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def soft_loss(beta: float, sft_weight: float) -> float:
    trainer: Any = SimpleNamespace(beta=beta, _sft_weight=sft_weight)
    return _EncodedTrainer._soft_loss(trainer, LOGPROBS, BATCH, TARGETS, WEIGHTS).item()


def preference(beta: float) -> list[float]:
    chances = zip(MARGINS, TARGETS.tolist(), strict=True)
    return [-(p * log_sigmoid(beta * margin) + (1 - p) * log_sigmoid(-beta * margin)) for margin, p in chances]


def test_soft_labels_by_hand() -> None:
    first, second = preference(0.3)
    assert soft_loss(0.3, 0.0) == pytest.approx((1.0 * first + 0.5 * second) / 2, abs=1e-6)


def test_the_chosen_answers_are_imitated_as_far_as_they_are_the_better_ones() -> None:
    first, second = preference(0.3)
    imitated = [(2 * 0.9 - 1) * 2.0 * 2 / 3, (2 * 0.6 - 1) * 2.0 * 2 / 3]  # −log π of an answer, over 3 tokens, 2 rows
    expected = (1.0 * (first + 0.5 * imitated[0]) + 0.5 * (second + 0.5 * imitated[1])) / 2
    assert soft_loss(0.3, 0.5) == pytest.approx(expected, abs=1e-6)


def test_an_implicit_reward_is_how_much_likelier_the_policy_made_an_answer() -> None:
    assert _implicit_rewards(([-1.0], [-5.0]), ([-3.0], [-4.0])) == ([2.0], [-1.0])
