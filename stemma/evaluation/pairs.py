"""How often scores agree with the labels, and how far the answers' lengths alone would get."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from stemma.evaluation.intervals import Interval, wilson
from stemma.records.types import Comparison


class LengthBaseline(NamedTuple):
    """The accuracy of a rule that looks at nothing but length."""

    rule: Literal["longer", "shorter"]
    accuracy: Interval


def pair_accuracy(chosen_scores: Sequence[float], rejected_scores: Sequence[float]) -> Interval:
    """The share of pairs whose chosen answer scores higher than the rejected one; an equal score counts half.

    Raises ValueError where the two differ in length, or are empty.
    """
    agreed = agreements(chosen_scores, rejected_scores)
    return wilson(sum(agreed), len(agreed))


def agreements(chosen_scores: Sequence[float], rejected_scores: Sequence[float]) -> list[float]:
    """For each pair 1 where the chosen answer scores higher, 0.5 where both score alike, else 0."""
    return [_agreement(chosen, rejected) for chosen, rejected in zip(chosen_scores, rejected_scores, strict=True)]


def length_baseline(train: Sequence[Comparison], held_out: Sequence[Comparison]) -> LengthBaseline:
    """Choose "the longer answer wins" or "the shorter answer wins" on the training pairs; measure it on held-out ones.

    Length is in characters. A reward model that does no better than this has learned nothing but length. Where the
    training pairs do not decide, or there are none, the rule is "longer".
    Raises ValueError where there are no held-out pairs.
    """
    longer_chosen = sum(_agreement(len(pair.chosen), len(pair.rejected)) for pair in train)
    rule: Literal["longer", "shorter"] = "longer" if longer_chosen >= len(train) / 2 else "shorter"
    sign = 1 if rule == "longer" else -1
    accuracy = pair_accuracy([sign * len(p.chosen) for p in held_out], [sign * len(p.rejected) for p in held_out])
    return LengthBaseline(rule, accuracy)


def _agreement(chosen: float, rejected: float) -> float:
    return 0.5 if chosen == rejected else float(chosen > rejected)
