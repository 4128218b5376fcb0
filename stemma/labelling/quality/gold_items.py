"""How often labellers are right on items whose better answer is known."""

from collections.abc import Iterable

from stemma.evaluation.intervals import Interval, wilson
from stemma.labelling.quality.votes import Labeller, labeller_of
from stemma.records.types import Verdict


def gold_accuracy(answered: Iterable[tuple[Verdict, str]]) -> dict[Labeller, Interval]:
    """Each labeller's share of verdicts for the better answer, with Wilson's interval.

    `answered` holds verdicts on gold items, each with the text of the better answer. No preference is not right; a
    skipped item does not count.
    """
    right: dict[Labeller, list[bool]] = {}
    for verdict, better in answered:
        if verdict.choice != "skip":
            right.setdefault(labeller_of(verdict), []).append(_preferred(verdict) == better)
    return {labeller: wilson(sum(answers), len(answers)) for labeller, answers in sorted(right.items())}


def _preferred(verdict: Verdict) -> str | None:
    return {"first": verdict.first, "second": verdict.second}.get(verdict.choice)
