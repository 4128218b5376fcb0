"""What verdicts lean to besides what the answers are worth: the place shown first, and length."""

from collections.abc import Iterable
from typing import NamedTuple

from stemma.evaluation.intervals import Interval, wilson
from stemma.records.types import Verdict


class Leanings(NamedTuple):
    """Shares of the verdicts that prefer an answer; None where there is no such verdict."""

    shown_first: Interval | None
    """For the answer shown first; ½ without a leaning, as the order is left to chance."""
    longer: Interval | None
    """For the longer answer, where their lengths in characters differ. Longer may well be better."""


def leanings(verdicts: Iterable[Verdict]) -> Leanings:
    """How often the answer shown first is preferred, and how often the longer one."""
    decided = [verdict for verdict in verdicts if verdict.choice in ("first", "second")]
    unequal = [verdict for verdict in decided if len(verdict.first) != len(verdict.second)]
    return Leanings(
        _share([verdict.choice == "first" for verdict in decided]),
        _share([(verdict.choice == "first") == (len(verdict.first) > len(verdict.second)) for verdict in unequal]),
    )


def _share(true: list[bool]) -> Interval | None:
    return wilson(sum(true), len(true)) if true else None
