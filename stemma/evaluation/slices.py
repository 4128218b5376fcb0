"""How well a reward model does on each slice of its held-out pairs, and on which slices it is no better than chance.

A slice is a kind of prompt: in the default world known, unknown or harmful, in your data the values of a field. A probe
is a set of constructed pairs whose better answer is known. The overall accuracy hides a slice with few pairs, and a
policy trained on the reward model exploits exactly that slice.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from stemma.evaluation.intervals import Interval, wilson

Group = Literal["slice", "probe"]
CHANCE = 0.5
NAME = re.compile(r"(slice|probe)/([^/]+)/accuracy")
_NO_METRIC_NAME = re.compile(r"[^\w. -]", re.ASCII)
"""What MLflow does not take in the name of a metric, and the separator."""


class Weakness(NamedTuple):
    """A slice or a probe on which a reward model is not shown to be better than chance."""

    group: Group
    name: str
    accuracy: Interval
    """At 95 %."""
    below: bool
    """Whether it is shown to be worse than chance, at an error of 5 % over all slices and probes together."""

    def __str__(self) -> str:
        """The slice, its accuracy and interval, and the number of pairs."""
        worth = "is worse than chance" if self.below else "is not shown to be better than chance"
        pairs = "held-out pairs" if self.group == "slice" else "constructed pairs whose better answer is known"
        low, high = self.accuracy.low, self.accuracy.high
        return (
            f"on {self.group} {self.name} it {worth}: it prefers the better answer in {self.accuracy.estimate:.1%} of "
            f"{self.accuracy.n} {pairs} (95 % interval {low:.1%} to {high:.1%})"
        )


def accuracies(kinds: Iterable[str | None], agreed: Iterable[float]) -> dict[str, Interval]:
    """The accuracy of each kind, in the order of their names; pairs without a kind are in no slice.

    `agreed` is 1 where the better answer has the higher score, 0.5 where the scores are equal, else 0.
    """
    by_kind: dict[str, list[float]] = defaultdict(list)
    for kind, agreement in zip(kinds, agreed, strict=True):
        if kind is not None:
            by_kind[metric_part(kind)].append(agreement)
    return {kind: wilson(sum(row), len(row)) for kind, row in sorted(by_kind.items())}


def metric_part(kind: str) -> str:
    """A kind as part of a metric's name."""
    return _NO_METRIC_NAME.sub("_", kind)


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


def from_metrics(metrics: Mapping[str, float]) -> dict[tuple[Group, str], Interval]:
    """The accuracies that as_metrics wrote among other metrics, by group and name."""
    found: dict[tuple[Group, str], Interval] = {}
    for metric, estimate in sorted(metrics.items()):
        if match := NAME.fullmatch(metric):
            low, high = metrics[f"{metric}_low"], metrics[f"{metric}_high"]
            group: Group = "slice" if match[1] == "slice" else "probe"
            found[group, match[2]] = Interval(estimate, low, high, round(metrics[f"{match[1]}/{match[2]}/pairs"]))
    return found


def weaknesses(metrics: Mapping[str, float], fewest_pairs: int) -> list[Weakness]:
    """The slices and probes of at least so many pairs whose 95 % interval does not lie above chance."""
    measured = {key: value for key, value in from_metrics(metrics).items() if value.n >= fewest_pairs}
    return [
        Weakness(group, name, accuracy, below=_whole(accuracy, len(measured)).high < CHANCE)
        for (group, name), accuracy in measured.items()
        if accuracy.low <= CHANCE
    ]


def _whole(accuracy: Interval, tests: int) -> Interval:
    """The interval that holds for all slices and probes together (Bonferroni)."""
    return wilson(accuracy.estimate * accuracy.n, accuracy.n, 1 - 0.05 / tests)


def sentences(weak: Sequence[Weakness]) -> str:
    """The weaknesses as one text, those below chance first."""
    return "; ".join(str(weakness) for weakness in sorted(weak, key=lambda weakness: not weakness.below))
