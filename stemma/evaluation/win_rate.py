"""Win rates: how often one policy's answer scores above another's on the same prompt."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from stemma.evaluation.intervals import Interval, rate_interval


class WinRate(NamedTuple):
    """A win rate with its interval, and the shares of prompts behind it."""

    interval: Interval
    wins: float
    ties: float
    losses: float


def win_rate(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> WinRate:
    """Compare two policies prompt by prompt.

    `ours[i]` and `theirs[i]` are the scores of their answers to prompt i. Every answer of the one is held against every
    answer of the other: a higher score wins (1), an equal one ties (0.5), a lower one loses (0). A prompt counts once,
    with the mean over its comparisons, and the interval is over prompts.
    Raises ValueError where the two do not cover the same prompts, or there are none.
    """
    if not ours or len(ours) != len(theirs):
        raise ValueError(f"a win rate needs the same prompts on both sides, got {len(ours)} and {len(theirs)}")
    wins = [_share_above(a, b) for a, b in zip(ours, theirs, strict=True)]
    losses = [_share_above(b, a) for a, b in zip(ours, theirs, strict=True)]
    rates = [(1 + win - loss) / 2 for win, loss in zip(wins, losses, strict=True)]
    won, lost = fmean(wins), fmean(losses)
    return WinRate(rate_interval(rates), won, 1 - won - lost, lost)


def _share_above(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return fmean(a > b for a in ours for b in theirs)
