"""How well pairs that were kept out of training are told apart, and whether that is better than chance."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stemma.errors import DataError, TrainingError
from stemma.evaluation import slices
from stemma.evaluation.intervals import Interval, wilson
from stemma.evaluation.pairs import agreements, length_baseline, pair_accuracy
from stemma.evaluation.slices import accuracies
from stemma.records.counting import counted
from stemma.records.jsonl import read_rows
from stemma.records.types import Comparison, Split
from stemma.stage.door import Stage

HELD_OUT: tuple[Split, ...] = ("validation", "test")
ENOUGH = 50
"""Pairs of one split that are enough to tell an accuracy of 0.64 or more from chance."""
CHANCE = 0.5


class HeldOut(NamedTuple):
    """What one split's pairs show."""

    accuracy: Interval
    """Share of pairs whose chosen answer scores higher than the rejected one."""
    length: Interval
    """The same by a rule that looks at length alone."""
    agreed: tuple[tuple[str | None, float], ...] = ()
    """For each pair the kind of its prompt, and 1 where the chosen answer scores higher, 0.5 where both score alike."""


def split_of(comparisons: Sequence[Comparison], split: Split) -> list[Comparison]:
    """The comparisons of one split, in their order."""
    return [row for row in comparisons if row.split == split]


def held_out_of(comparisons: Sequence[Comparison]) -> dict[Split, list[Comparison]]:
    """The held-out comparisons by split; a split without any is left out."""
    splits = {split: split_of(comparisons, split) for split in HELD_OUT}
    return {split: rows for split, rows in splits.items() if rows}


def read_pairs(stage: Stage) -> tuple[list[Comparison], dict[Split, list[Comparison]]]:
    """The comparisons of artifacts/label to learn from, and the held-out ones by split; says how many there are.

    Raises DataError where there is none to learn from.
    """
    path = stage.input("label") / "comparisons.jsonl"
    comparisons = read_rows(path, Comparison)
    train, held_out = split_of(comparisons, "train"), held_out_of(comparisons)
    if not train:
        raise DataError(f"{path} has no comparison of the train split, so there is nothing to learn from")
    stage.progress.say(f"{counted(len(train), 'pair')} to learn from, {sum(map(len, held_out.values()))} held out")
    return train, held_out


def tell(measured: Mapping[Split, HeldOut], stage: Stage) -> None:
    """Say how well each split's pairs are told apart, beside length alone."""
    for split, (accuracy, length, _) in measured.items():
        stage.progress.say(
            f"{split}: prefers the chosen answer in {accuracy.estimate:.1%} of {counted(accuracy.n, 'pair')} "
            f"({accuracy.low:.1%} to {accuracy.high:.1%}); length alone: {length.estimate:.1%}"
        )
    for kind, accuracy in slice_accuracies(measured).items():
        stage.progress.say(
            f"slice {kind}: {accuracy.estimate:.1%} of {counted(accuracy.n, 'pair')} "
            f"({accuracy.low:.1%} to {accuracy.high:.1%})"
        )


def measure(
    train: Sequence[Comparison],
    held_out: Sequence[Comparison],
    chosen_scores: Sequence[float],
    rejected_scores: Sequence[float],
) -> HeldOut:
    """Measure the scores of one split's pairs; the length rule is chosen on the training pairs."""
    agreed = zip([row.kind for row in held_out], agreements(chosen_scores, rejected_scores), strict=True)
    return HeldOut(
        pair_accuracy(chosen_scores, rejected_scores), length_baseline(train, held_out).accuracy, tuple(agreed)
    )


def slice_accuracies(measured: Mapping[Split, HeldOut]) -> dict[str, Interval]:
    """The accuracy on each kind of prompt, over the pairs of all held-out splits together."""
    agreed = [row for split in measured.values() for row in split.agreed]
    return accuracies([kind for kind, _ in agreed], [agreement for _, agreement in agreed])


def as_metrics(measured: Mapping[Split, HeldOut]) -> dict[str, float]:
    """Metrics `<split>/accuracy` with the ends of its interval, `<split>/length_accuracy`, `<split>/pairs`; those of
    each slice, without the length, are `slice/<kind>/…`.
    """
    metrics: dict[str, float] = {}
    for split, (accuracy, length, _) in measured.items():
        metrics |= {
            f"{split}/accuracy": accuracy.estimate,
            f"{split}/accuracy_low": accuracy.low,
            f"{split}/accuracy_high": accuracy.high,
            f"{split}/length_accuracy": length.estimate,
            f"{split}/pairs": accuracy.n,
        }
    return metrics | slices.as_metrics("slice", slice_accuracies(measured))


def require_better_than_chance(measured: Mapping[Split, HeldOut], what: str, remedy: str) -> None:
    """Stop where the held-out accuracy could be a coin's.

    It is the validation pairs' accuracy; with fewer than 50 of them, the test pairs'; with fewer than 50 of those too,
    that of both together. Without held-out pairs there is nothing to hold against chance, and nothing is stopped.
    Raises TrainingError with the numbers and the remedy.
    """
    enough = [split for split in HELD_OUT if split in measured and measured[split].accuracy.n >= ENOUGH]
    deciding = enough[:1] or list(measured)
    if not deciding:
        return
    accuracy = _together([measured[split].accuracy for split in deciding])
    if accuracy.low > CHANCE:
        return
    raise TrainingError(
        f"{what} is no better than chance: it prefers the chosen answer in {accuracy.estimate:.1%} of {accuracy.n} "
        f"{' and '.join(deciding)} pairs (95 % interval {accuracy.low:.1%} to {accuracy.high:.1%}, which should lie "
        f"above 50 %). {remedy}"
    )


def _together(accuracies: Sequence[Interval]) -> Interval:
    n = sum(accuracy.n for accuracy in accuracies)
    return wilson(min(n, sum(accuracy.estimate * accuracy.n for accuracy in accuracies)), n)
