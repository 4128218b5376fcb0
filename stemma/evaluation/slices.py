"""How well a reward model does on each slice of its held-out pairs, and on which slices it is no better than chance.

The overall accuracy hides a slice with few pairs, and a policy trained on the reward model exploits exactly that slice.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from stemma.evaluation.intervals import Interval, wilson
from stemma.slice_metrics import BELOW, NOT_ABOVE, Group, metric_part

CHANCE = 0.5
ERROR = 0.05
"""Probability, over all slices and probes together, that one which is at its bar is called below it."""


class Bar(NamedTuple):
    """An accuracy, and the share that it should be above."""

    accuracy: Interval
    share: float


def accuracies(kinds: Iterable[str | None], agreed: Iterable[float]) -> dict[str, Interval]:
    """The accuracy of each kind, in the order of their names; pairs without a kind are in no slice.

    `agreed` is 1 where the better answer has the higher score, 0.5 where the scores are equal, else 0.
    """
    by_kind: dict[str, list[float]] = defaultdict(list)
    for kind, agreement in zip(kinds, agreed, strict=True):
        if kind is not None:
            by_kind[metric_part(kind)].append(agreement)
    return {kind: wilson(sum(row), len(row)) for kind, row in sorted(by_kind.items())}


def as_metrics(group: Group, measured: Mapping[str, Interval]) -> dict[str, float]:
    """Metrics `<group>/<name>/accuracy` with the ends of its 95 % interval, and `<group>/<name>/pairs`."""
    metrics: dict[str, float] = {}
    for name, accuracy in measured.items():
        start = f"{group}/{name}"
        metrics |= {
            f"{start}/accuracy": accuracy.estimate,
            f"{start}/accuracy_low": accuracy.low,
            f"{start}/accuracy_high": accuracy.high,
            f"{start}/pairs": accuracy.n,
        }
    return metrics


def weak_metrics(slices: Mapping[str, Interval], probes: Mapping[str, Bar], fewest_pairs: int) -> dict[str, float]:
    """Metrics `<group>/<name>/weak` of those with enough pairs whose 95 % interval does not lie above their bar.

    The bar of a slice is chance. The value is BELOW if the interval that holds for all slices and probes together
    (Bonferroni) lies below the bar, else NOT_ABOVE.
    """
    bars = {f"slice/{name}": Bar(accuracy, CHANCE) for name, accuracy in slices.items()}
    bars |= {f"probe/{name}": bar for name, bar in probes.items()}
    measured = {start: bar for start, bar in bars.items() if bar.accuracy.n >= fewest_pairs}
    return {
        f"{start}/weak": BELOW if _high_of_all(accuracy, len(measured)) < share else NOT_ABOVE
        for start, (accuracy, share) in measured.items()
        if accuracy.low <= share
    }


def _high_of_all(accuracy: Interval, tests: int) -> float:
    return wilson(accuracy.estimate * accuracy.n, accuracy.n, 1 - ERROR / tests).high
