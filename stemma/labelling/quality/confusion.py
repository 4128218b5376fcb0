"""What each labeller says where the others' majority is known, in the order shown."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from stemma.evaluation.intervals import Interval, wilson
from stemma.labelling.quality.votes import MIRRORED, Choice, Labeller, Vote, VotedPair, labeller_of


class Confusion(NamedTuple):
    """One labeller against the majority of the others."""

    counts: dict[str, dict[str, int]]
    """What the others say → what the labeller says, as the labeller was shown it."""
    agreement: Interval | None
    """How often they prefer the same answer, where both prefer one; None where that never was."""


def confusions(pairs: Iterable[VotedPair]) -> dict[Labeller, Confusion]:
    """Every labeller's verdicts against the majority, by weight, of the other labellers of the pair.

    A pair on which the others are evenly split, or prefer neither answer by majority, counts as their tie.
    """
    said: dict[Labeller, Counter[tuple[Choice, Choice]]] = {}
    for pair in pairs:
        for verdict in pair.verdicts:
            labeller = labeller_of(verdict)
            others = _majority([vote for vote in pair.votes if vote.labeller != labeller])
            if others is not None and verdict.choice != "skip":
                shown = others if verdict.first == pair.answers[0] else MIRRORED[others]
                said.setdefault(labeller, Counter())[shown, verdict.choice] += 1
    return {labeller: _confusion(counts) for labeller, counts in sorted(said.items())}


def _majority(votes: list[Vote]) -> Choice | None:
    if not votes:
        return None
    lean = sum(vote.lean for vote in votes)
    return "first" if lean > 0 else "second" if lean < 0 else "tie"


def _confusion(counts: Counter[tuple[Choice, Choice]]) -> Confusion:
    table: dict[str, dict[str, int]] = {}
    for (others, own), count in sorted(counts.items()):
        table.setdefault(others, {})[own] = count
    same = counts["first", "first"] + counts["second", "second"]
    decided = same + counts["first", "second"] + counts["second", "first"]
    return Confusion(table, wilson(same, decided) if decided else None)
