"""In which order a batch's pairs are judged: first what would teach most, with a share left to chance.

Pairs left to chance are spread evenly over the order, so that wherever labelling stops, what is measured on them alone
(agreement, errors) holds for all pairs and not for the hard ones only.
"""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from stemma.world.chance import chance


class Place(NamedTuple):
    """Where a pair stands."""

    priority: float
    """Higher is judged earlier; between 0 and 1."""
    at_random: bool
    """Whether it stands there by chance."""


def uncertainty(difference: float) -> float:
    """How unsure a reward model is of a pair: 1 where both answers score alike, 0 where one is sure to win.

    It is the entropy of its preference σ(difference), in bits; `difference` is the first answer's score less the
    second's.
    """
    return _entropy(_sigmoid(difference))


def ensemble_disagreement(differences: Sequence[float]) -> float:
    """How far several reward models contradict each other on a pair, 0 to 1 bit; each is sure and they differ: 1.

    It is what a label would tell of which of them is right: the entropy of their mean preference less the mean of their
    entropies (Houlsby et al. 2011, eq. 2). One model alone has none.
    """
    preferences = [_sigmoid(difference) for difference in differences]
    return max(0.0, _entropy(fmean(preferences)) - fmean(_entropy(preference) for preference in preferences))


def verdict_disagreement(first: float, second: float) -> float:
    """How open earlier verdicts leave a pair, 0 to 1 bit: the entropy of the next one.

    `first` and `second` are how many, or how much weight, were for either answer. The next verdict's chance has one
    verdict for either added (Laplace), so that one verdict leaves more open than three that agree. None yet: 1.
    """
    return _entropy((first + 1) / (first + second + 2))


def places(teaching: Sequence[float], random_share: float, seed: int) -> list[Place]:
    """Each pair's place in the order, the pairs that would teach most first.

    `teaching` says how much each pair would teach; equals are ordered by chance. `random_share` of the pairs stand at
    random instead, in every stretch of the order about as many. Raises ValueError for a share outside [0, 1].
    """
    if not 0 <= random_share <= 1:
        raise ValueError(f"the share left to chance must lie between 0 and 1, got {random_share}")
    shuffled = list(range(len(teaching)))
    chance(seed, "order").shuffle(shuffled)
    drawn = round(random_share * len(teaching))
    by_chance, by_teaching = iter(shuffled[:drawn]), iter(sorted(shuffled[drawn:], key=lambda pair: -teaching[pair]))
    found = [Place(0, False)] * len(teaching)
    for position in range(len(teaching)):
        at_random = _so_far(position + 1, drawn, len(teaching)) > _so_far(position, drawn, len(teaching))
        pair = next(by_chance if at_random else by_teaching)
        found[pair] = Place(1 - position / len(teaching), at_random)
    return found


def _so_far(position: int, drawn: int, pairs: int) -> int:
    """How many of the pairs left to chance come before a position, spread evenly."""
    return position * drawn // pairs


def _sigmoid(difference: float) -> float:
    tail = math.exp(-abs(difference))
    return 1 / (1 + tail) if difference >= 0 else tail / (1 + tail)


def _entropy(chance_of_first: float) -> float:
    """In bits."""
    return -sum(p * math.log2(p) for p in (chance_of_first, 1 - chance_of_first) if p > 0)
