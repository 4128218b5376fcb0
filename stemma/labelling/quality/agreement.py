"""How far labellers agree beyond chance: Cohen's kappa of two, Krippendorff's alpha of any number."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stemma.evaluation.intervals import CONFIDENCE, Interval
from stemma.labelling.quality.votes import MIRRORED, Labeller, VotedPair

Ratings = Mapping[str, str] | Mapping[Labeller, str]
"""What each labeller said of one item; who did not rate it is not there."""

Tables = NDArray[np.float64]
"""Counts by category and category, one table or several."""

RESAMPLES = 1000


def ratings_of(pairs: Iterable[VotedPair]) -> list[dict[Labeller, str]]:
    """What each labeller said of each pair, in the pair's order."""
    return [{vote.labeller: vote.choice for vote in pair.votes} for pair in pairs]


def cohen_kappa(
    items: Iterable[Sequence[str]], mirror: Mapping[str, str] | None = None, seed: int = 0
) -> Interval | None:
    """Kappa of two raters (Cohen 1960, eq. 1), with its 95 % bootstrap interval over items; None without an item.

    An item is what the one and what the other said of it. `mirror` names the categories that change places with an
    item's two answers (see `krippendorff_alpha`). Where both raters never said but one and the same thing, it is 1.
    """
    rated = [tuple(item) for item in items]
    place = _places([category for item in rated for category in item], mirror)
    tables = np.zeros((len(rated), len(place), len(place)))
    for table, (one, other) in zip(tables, rated, strict=True):
        table[place[one], place[other]] = 1
    return _with_interval(_either_way(tables, place, mirror), _kappa, seed)


def krippendorff_alpha(
    items: Iterable[Ratings], mirror: Mapping[str, str] | None = None, seed: int = 0
) -> Interval | None:
    """Alpha of nominal ratings by any number of raters, with its 95 % bootstrap interval over items.

    Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C; ratings may be missing, and items that
    fewer than two raters rated say nothing. None where no item is left.

    `mirror` names the categories that change places where an item is two answers without an order of their own: each
    item then counts half in this order and half in the other, so that the agreement expected by chance does not hang
    on which answer happens to be called first.
    """
    rated = [list(item.values()) for item in items if len(item) > 1]
    place = _places([category for item in rated for category in item], mirror)
    tables = np.zeros((len(rated), len(place), len(place)))
    for table, item in zip(tables, rated, strict=True):
        counts = np.bincount([place[category] for category in item], minlength=len(place))
        table[:] = (np.outer(counts, counts) - np.diag(counts)) / (len(item) - 1)
    return _with_interval(_either_way(tables, place, mirror), _alpha, seed)


def kappas(pairs: Sequence[VotedPair], seed: int = 0) -> dict[tuple[Labeller, Labeller], Interval]:
    """Kappa of every two labellers who judged a pair in common."""
    shared: dict[tuple[Labeller, Labeller], list[tuple[str, str]]] = {}
    for ratings in ratings_of(pairs):
        names = sorted(ratings)
        for place, one in enumerate(names):
            for other in names[place + 1 :]:
                shared.setdefault((one, other), []).append((ratings[one], ratings[other]))
    found = {couple: cohen_kappa(items, MIRRORED, seed) for couple, items in sorted(shared.items())}
    return {couple: kappa for couple, kappa in found.items() if kappa is not None}


def alpha(pairs: Iterable[VotedPair], seed: int = 0) -> Interval | None:
    """Alpha of all labellers of pairs; None where no two judged the same pair."""
    return krippendorff_alpha(ratings_of(pairs), MIRRORED, seed)


def _places(said: Iterable[str], mirror: Mapping[str, str] | None) -> dict[str, int]:
    categories = set(said)
    categories |= {mirror[category] for category in categories} if mirror else set()
    return {category: place for place, category in enumerate(sorted(categories))}


def _either_way(tables: Tables, place: Mapping[str, int], mirror: Mapping[str, str] | None) -> Tables:
    if mirror is None:
        return tables
    turned = [place[mirror[category]] for category in place]
    return (tables + tables[:, turned][:, :, turned]) / 2


def _with_interval(tables: Tables, statistic: Callable[[Tables], Tables], seed: int) -> Interval | None:
    """The statistic of the summed tables; its interval is the middle 95 % over items drawn again with replacement."""
    if not len(tables):
        return None
    n, categories = tables.shape[:2]
    kinds, counts = np.unique(tables.reshape(n, -1), axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, RESAMPLES) @ kinds
    values = statistic(drawn.reshape(-1, categories, categories))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    estimate = float(statistic(tables.sum(axis=0)[None])[0])
    return Interval(estimate, min(estimate, float(low)), max(estimate, float(high)), n)


def _kappa(tables: Tables) -> Tables:
    total = tables.sum(axis=(1, 2))
    expected = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / total**2
    return _beyond_chance(tables, total, expected)


def _alpha(tables: Tables) -> Tables:
    total, by_category = tables.sum(axis=(1, 2)), tables.sum(axis=2)
    expected = (by_category * (by_category - 1)).sum(axis=1) / (total * (total - 1))
    return _beyond_chance(tables, total, expected)


def _beyond_chance(tables: Tables, total: Tables, expected: Tables) -> Tables:
    observed = np.trace(tables, axis1=1, axis2=2) / total
    certain = np.isclose(expected, 1)
    return np.where(certain, 1.0, (observed - expected) / np.where(certain, 1.0, 1 - expected))
