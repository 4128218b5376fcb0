"""What the labels amount to: pairs, ties, errors, and how far annotators agree."""

from collections import Counter
from collections.abc import Iterable, Sequence

from stemma.labelling.simulation import JudgedPair
from stemma.records.types import Comparison, Split, Verdict


def count_splits(comparisons: Iterable[Comparison]) -> dict[Split, int]:
    """How many comparisons each split has."""
    return dict(sorted(Counter(comparison.split for comparison in comparisons).items()))


def tally(judged: Sequence[JudgedPair]) -> dict[str, object]:
    """Count ties by split, each annotator's verdicts and errors, and the agreement on pairs that two judged.

    An error is a verdict against the gold rule. Ties are left out of errors and agreement, because nobody errs on them.
    """
    told = [pair for pair in judged if pair.truth != "tie"]
    verdicts = [(verdict, verdict.choice != pair.truth) for pair in told for verdict in pair.verdicts]
    twice = [pair.verdicts for pair in told if len(pair.verdicts) > 1]
    agreed = sum(one.choice == other.choice for one, other in twice)
    return {
        "ties": dict(sorted(Counter(pair.pair.prompt.split for pair in judged if pair.truth == "tie").items())),
        "annotators": {
            name: _errors([wrong for verdict, wrong in verdicts if verdict.annotator == name])
            for name in sorted({verdict.annotator for verdict, _ in verdicts if verdict.annotator})
        },
        "all_annotators": _errors([wrong for _, wrong in verdicts]),
        "agreement": {"pairs": len(twice), "share": _share(agreed, len(twice))},
    }


def verdicts_of(judged: Iterable[JudgedPair]) -> list[Verdict]:
    """Every verdict, ties included."""
    return [verdict for pair in judged for verdict in pair.verdicts]


def comparisons_of(judged: Iterable[JudgedPair]) -> list[Comparison]:
    """The labels; ties give none."""
    labels = (pair.comparison() for pair in judged)
    return [label for label in labels if label is not None]


def _errors(wrong: Sequence[bool]) -> dict[str, object]:
    return {"verdicts": len(wrong), "flips": sum(wrong), "flip_share": _share(sum(wrong), len(wrong))}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
