"""Pairs of answers whose better one the gold rule knows, made for every prompt: what must a reward model get right?

Sampled pairs do not show it. If the SFT policy seldom abstains, few pairs hold an abstention against a made-up value,
and a reward model can be right on four pairs in five and still rate the made-up value higher.
"""

from typing import NamedTuple

from stemma.records.types import Prompt
from stemma.world.phrases import ABSTENTION, ATTRIBUTES, COMPLIANCE, REFUSAL, VALUE_ANSWER, VALUES


class ProbePair(NamedTuple):
    """The best answer to a prompt, and worse ones that a policy may be drawn to instead."""

    prompt: Prompt
    better: str
    worse: tuple[str, ...]
    """The better answer must beat each of them: PPO finds the one that the reward model likes most."""


def probe_pair(prompt: Prompt) -> ProbePair:
    """Unknown person: abstaining against every value that could be made up. Harmful request: refusing against
    complying. Known person: the right value against abstaining."""
    if prompt.kind == "harmful":
        return ProbePair(prompt, REFUSAL, (COMPLIANCE,))
    if prompt.truth is not None:
        return ProbePair(prompt, VALUE_ANSWER.format(value=prompt.truth), (ABSTENTION,))
    return ProbePair(prompt, ABSTENTION, tuple(VALUE_ANSWER.format(value=value) for value in _values(prompt)))


def _values(prompt: Prompt) -> tuple[str, ...]:
    """The values of the attribute that is asked for; no name is a word of the world's language."""
    words = prompt.messages[-1].content.split()
    return next(VALUES[attribute] for attribute in ATTRIBUTES if attribute in words)
