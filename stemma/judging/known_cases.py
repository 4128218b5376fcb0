"""Cases on which it is known what people prefer, kept aside to check a judge on."""

from collections.abc import Sequence
from dataclasses import dataclass

from stemma.judging.case import Case
from stemma.records.types import Comparison, Prompt
from stemma.world.chance import chance
from stemma.world.gold import gold_score


@dataclass(frozen=True)
class KnownCase:
    """A case with what people say of it."""

    case: Case
    people: float
    """Share of people who prefer the first answer."""


@dataclass(frozen=True)
class _Compared:
    """An answer of a comparison."""

    text: str
    finished: bool


def from_comparisons(comparisons: Sequence[Comparison], most: int, seed: int) -> list[KnownCase]:
    """Cases from people's held-out comparisons, at most so many."""
    held_out = [row for row in comparisons if row.split == "validation" and is_of_people(row)]
    draw = chance(seed, "comparisons to check a judge on")
    return [from_comparison(row, seed) for row in draw.sample(held_out, min(most, len(held_out)))]


def is_of_people(row: Comparison) -> bool:
    """Whether no AI judge made the comparison, neither alone nor with others."""
    verdicts = (row.origin or {}).get("verdicts")
    return row.judge is None and not (isinstance(verdicts, dict) and "judges" in verdicts)


def from_comparison(row: Comparison, seed: int) -> KnownCase:
    """A comparison as a case, in an order of answers left to chance."""
    prompt = Prompt(id=row.prompt_id, messages=row.prompt, split=row.split)
    chosen, rejected = _Compared(row.chosen, row.chosen_finished), _Compared(row.rejected, row.rejected_finished)
    if chance(seed, "shown order", row.prompt_id, row.chosen, row.rejected).random() < 0.5:
        return KnownCase(Case(prompt, rejected, chosen), 0.0)
    return KnownCase(Case(prompt, chosen, rejected), 1.0)


def from_world(cases: Sequence[Case], most: int, seed: int) -> list[KnownCase]:
    """Cases of the default world with what its gold rule says of them, at most so many, none of them a tie.

    Raises DataError where a prompt is not of the default world.
    """
    drawn = chance(seed, "cases to check a judge on").sample(cases, len(cases))
    known: list[KnownCase] = []
    for case in drawn:
        margin = _worth(case, first=True) - _worth(case, first=False)
        if len(known) < most and abs(margin) > 1e-9:
            known.append(KnownCase(case, float(margin > 0)))
    return known


def _worth(case: Case, first: bool) -> float:
    answer = case.first if first else case.second
    return gold_score(case.prompt, answer.text, answer.finished)
