"""Names of the metrics of slices and probes, and what they say in words; needs no model, so that any page can tell it.

A slice is a kind of prompt: in the default world known, unknown or harmful, in your data a value of data.slice_field. A
probe is a set of constructed pairs whose better answer is known.
"""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

Group = Literal["slice", "probe"]
NOT_ABOVE, BELOW = 1, 2
"""Values of a metric `…/weak`: not shown to be above its bar, and shown to be below it.

A slice's bar is chance. A probe's is reward.least_probe_share.
"""

_ACCURACY = re.compile(r"(slice|probe)/([^/]+)/accuracy")
_NO_METRIC_NAME = re.compile(r"[^\w. -]", re.ASCII)
_PAIRS = {"slice": "held-out pairs", "probe": "constructed pairs whose better answer is known"}
_VERDICTS = {
    ("slice", NOT_ABOVE): "is not shown to be better than chance",
    ("slice", BELOW): "is worse than chance",
    ("probe", NOT_ABOVE): "may miss reward.least_probe_share",
    ("probe", BELOW): "misses reward.least_probe_share",
}


class SliceAccuracy(NamedTuple):
    """How often the better answer has the higher score, with the ends of the 95 % interval."""

    group: Group
    name: str
    accuracy: float
    low: float
    high: float
    pairs: int
    weak: int
    """0, or how weak it is."""

    @property
    def sentence(self) -> str:
        """The slice, its accuracy and interval, and the number of pairs."""
        return (
            f"on {self.group} {self.name} it {_VERDICTS[self.group, self.weak]}: it prefers the better answer in "
            f"{self.accuracy:.1%} of {self.pairs} {_PAIRS[self.group]} (95 % interval {self.low:.1%} to "
            f"{self.high:.1%})"
        )


def metric_part(kind: str) -> str:
    """A kind as part of a metric's name: MLflow takes letters, digits, `_`, `.`, `-` and spaces."""
    return _NO_METRIC_NAME.sub("_", kind)


def read_slices(metrics: Mapping[str, float]) -> list[SliceAccuracy]:
    """The slices, then the probes, that are among a stage's metrics, in the order of their names."""
    found = []
    for metric, accuracy in metrics.items():
        if match := _ACCURACY.fullmatch(metric):
            group: Group = "slice" if match[1] == "slice" else "probe"
            start, low, high = f"{group}/{match[2]}", metrics[f"{metric}_low"], metrics[f"{metric}_high"]
            pairs, weak = round(metrics[f"{start}/pairs"]), round(metrics.get(f"{start}/weak", 0))
            found.append(SliceAccuracy(group, match[2], accuracy, low, high, pairs, weak))
    return sorted(found, key=lambda row: (row.group == "probe", row.name))


def weak_slices(metrics: Mapping[str, float]) -> str:
    """The weak slices and probes among a stage's metrics in one text, the worst first; empty where there are none."""
    weak = sorted((row for row in read_slices(metrics) if row.weak), key=lambda row: -row.weak)
    return "; ".join(row.sentence for row in weak)
