"""95 % intervals: Wilson's for proportions, Student's for means."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev
from typing import NamedTuple

from scipy.special import stdtrit

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """An estimate with the ends of its 95 % interval."""

    estimate: float
    low: float
    high: float
    n: int
    """How many independent observations it rests on."""


def wilson(successes: float, n: int, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a proportion (Wilson 1927; Brown, Cai and DasGupta 2001, eq. 4).

    `successes` need not be whole: where several answers to one prompt are averaged, the prompt counts as one trial, as
    if its answers always agreed, so the interval is never too narrow. (scipy's own takes whole numbers only.)
    Raises ValueError where n is not positive or `successes` is not within 0 and n.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"a proportion needs 0 <= successes <= n and n >= 1, got {successes} of {n}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(p, min(p, max(0.0, centre - half)), max(p, min(1.0, centre + half)), n)


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The interval of a mean: mean ± t · s / √n, with Student's t at n − 1 degrees of freedom.

    Raises ValueError for fewer than two values, which have no spread.
    """
    if len(values) < 2:
        raise ValueError(f"the interval of a mean needs at least 2 values, got {len(values)}")
    mean = fmean(values)
    half = float(stdtrit(len(values) - 1, 0.5 + confidence / 2)) * stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half, len(values))


def rate_interval(rates: Sequence[float]) -> Interval:
    """The interval of the mean of rates between 0 and 1, such as win rates in which a tie counts 0.5.

    It is the mean's interval cut to [0, 1]; where all rates are alike their spread is 0 and says nothing, so it is
    Wilson's then. Raises ValueError for an empty sequence or a rate outside [0, 1].
    """
    if not rates or not all(0 <= rate <= 1 for rate in rates):
        raise ValueError("the interval of a rate needs at least one value, each between 0 and 1")
    if min(rates) == max(rates):
        return wilson(rates[0] * len(rates), len(rates))
    mean = mean_interval(rates)
    return mean._replace(low=max(0.0, mean.low), high=min(1.0, mean.high))
