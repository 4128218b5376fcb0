"""What labels amount to: pairs by split, ties, and simulated annotators' errors against the gold rule."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from stemma.labelling.aggregation import Label
from stemma.labelling.quality.dawid_skene import dawid_skene
from stemma.labelling.quality.votes import VotedPair
from stemma.labelling.simulation import JudgedPair
from stemma.records.types import Comparison, Prompt, Split


def count_splits(comparisons: Iterable[Comparison]) -> dict[Split, int]:
    """How many comparisons each split has."""
    return dict(sorted(Counter(comparison.split for comparison in comparisons).items()))


def count_outcomes(labels: Iterable[Label], prompts: Mapping[str, Prompt]) -> dict[str, dict[str, int]]:
    """How many pairs came to what, by split."""
    counts: dict[str, Counter[str]] = {}
    for label in labels:
        counts.setdefault(label.outcome, Counter())[prompts[label.pair.prompt_id].split] += 1
    return {outcome: dict(sorted(by_split.items())) for outcome, by_split in sorted(counts.items())}


def wrong_share(labels: Sequence[Label], measured: Sequence[VotedPair]) -> float | None:
    """The share of the labels that may be wrong, as Dawid and Skene's model of all verdicts has it.

    It is what to set dpo.label_smoothing and reward.label_smoothing to. `measured` holds every verdict on each label's
    pair. None where no pair has two votes, so that nothing can be told.
    """
    if not any(len(pair.votes) > 1 for pair in measured):
        return None
    wrong = [
        1 - first if label.first > 0.5 else first
        for label, first in zip(labels, dawid_skene(measured).first, strict=True)
        if label.outcome == "compared" and label.first is not None and first is not None
    ]
    return round(min(0.5, sum(wrong) / len(wrong)), 6) if wrong else None


def tally_errors(judged: Sequence[JudgedPair], comparisons: Sequence[Comparison]) -> dict[str, object]:
    """Count each simulated annotator's verdicts and errors, and the labels' errors.

    An error is against the gold rule. Pairs of equal worth are left out, because nobody errs on them.
    """
    told = [pair for pair in judged if pair.truth != "tie"]
    verdicts = [(verdict, verdict.choice != pair.truth) for pair in told for verdict in pair.verdicts]
    better = {(pair.pair.prompt.id, *_by_worth(pair)) for pair in told}
    wrong = [
        (row.prompt_id, (row.chosen, row.chosen_finished), (row.rejected, row.rejected_finished)) not in better
        for row in comparisons
    ]
    return {
        "annotators": {
            name: _errors([wrong for verdict, wrong in verdicts if verdict.annotator == name])
            for name in sorted({verdict.annotator for verdict, _ in verdicts if verdict.annotator})
        },
        "all_annotators": _errors([wrong for _, wrong in verdicts]),
        "labels": {"pairs": len(wrong), "wrong": sum(wrong), "wrong_share": _share(sum(wrong), len(wrong))},
    }


def _by_worth(judged: JudgedPair) -> tuple[tuple[str, bool], tuple[str, bool]]:
    first, second = ((answer.text, answer.finished) for answer in (judged.pair.first, judged.pair.second))
    return (first, second) if judged.truth == "first" else (second, first)


def _errors(wrong: Sequence[bool]) -> dict[str, object]:
    return {"verdicts": len(wrong), "flips": sum(wrong), "flip_share": _share(sum(wrong), len(wrong))}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
