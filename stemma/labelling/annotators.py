"""Simulated annotators: they know what an answer is worth, err now and then, and have their leanings."""

from random import Random
from typing import Literal

from pydantic import Field

from stemma.config import Settings

Choice = Literal["first", "second", "tie"]
"""What an annotator says of two answers in the order shown."""

EQUAL_WORTH = 1e-9


class AnnotatorConfig(Settings):
    """One annotator. A verdict is turned around with a chance of `noise`, shifted by the two leanings."""

    name: str = Field(min_length=1, max_length=80)
    """Who gave a verdict, in the records."""
    noise: float = Field(0.1, ge=0, le=1)
    """Chance that a verdict is turned around; about 0.1 overall, as in the measured world."""
    length_bias: float = Field(0.0, ge=-1, le=1)
    """Added to that chance where the better answer is the shorter one, taken off where it is the longer one."""
    position_bias: float = Field(0.0, ge=-1, le=1)
    """Added to that chance where the better answer is shown second, taken off where it is shown first."""


def better_answer(first_worth: float, second_worth: float) -> Choice:
    """What somebody who never errs says of two answers."""
    if abs(first_worth - second_worth) < EQUAL_WORTH:
        return "tie"
    return "first" if first_worth > second_worth else "second"


def flip_chance(annotator: AnnotatorConfig, first: str, second: str, truth: Choice) -> float:
    """How likely the annotator turns the right verdict on two texts around; never for a tie."""
    if truth == "tie":
        return 0.0
    better, worse = (first, second) if truth == "first" else (second, first)
    longer = (len(worse) > len(better)) - (len(worse) < len(better))
    later = 1 if truth == "second" else -1
    return min(1.0, max(0.0, annotator.noise + annotator.length_bias * longer + annotator.position_bias * later))


def give_verdict(annotator: AnnotatorConfig, first: str, second: str, truth: Choice, chance: Random) -> Choice:
    """Say which of two texts the annotator prefers, given the right verdict."""
    if chance.random() >= flip_chance(annotator, first, second, truth):
        return truth
    return "second" if truth == "first" else "first"
