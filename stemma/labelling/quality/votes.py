"""Verdicts gathered by pair of answers, in one order, whichever order each of them was shown in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Literal, NamedTuple

from stemma.records.types import Verdict

Choice = Literal["first", "second", "tie", "both_bad"]
MIRRORED: Mapping[str, Choice] = {"first": "second", "second": "first", "tie": "tie", "both_bad": "both_bad"}
"""What a choice is called when the two answers change places."""
_FIRST = {"first": 1.0, "second": 0.0, "tie": 0.5, "both_bad": 0.5}


class Labeller(NamedTuple):
    """Who gave a verdict."""

    kind: Literal["annotator", "judge"]
    name: str


class Vote(NamedTuple):
    """What one labeller says of a pair, in the pair's order; the mean where somebody gave several verdicts on it."""

    labeller: Labeller
    choice: Choice
    first: float
    """How far it is for the pair's first answer: 1 or 0, ½ without a preference, or a judge's probability."""
    weight: float

    @property
    def lean(self) -> float:
        """The weight it puts on the first answer's side: below 0 it is on the other's."""
        return self.weight * (2 * self.first - 1)


@dataclass(frozen=True)
class VotedPair:
    """Two answers to a prompt with every verdict on them; the pair's first answer is the one that sorts first."""

    verdicts: tuple[Verdict, ...]
    weights: Mapping[str, float]
    """The weight of a vote by the labeller's kind; 1 where it is not named."""

    @property
    def prompt_id(self) -> str:
        """The prompt that both answer."""
        return self.verdicts[0].prompt_id

    @cached_property
    def answers(self) -> tuple[str, str]:
        """The two texts, in the pair's order."""
        one, other = sorted((self.verdicts[0].first, self.verdicts[0].second))
        return one, other

    @cached_property
    def finished(self) -> tuple[bool, bool]:
        """Whether each of the two came to its end, in the pair's order."""
        verdict = self.verdicts[0]
        first, second = verdict.first_finished, verdict.second_finished
        return (first, second) if verdict.first == self.answers[0] else (second, first)

    @cached_property
    def votes(self) -> tuple[Vote, ...]:
        """One vote a labeller; who only skipped has none."""
        given: dict[Labeller, list[tuple[Choice, float]]] = {}
        for verdict in self.verdicts:
            if verdict.choice != "skip":
                given.setdefault(labeller_of(verdict), []).append(self._in_order(verdict, verdict.choice))
        return tuple(self._vote(labeller, sayings) for labeller, sayings in given.items())

    def _in_order(self, verdict: Verdict, said: Choice) -> tuple[Choice, float]:
        first = _FIRST[said] if verdict.probability is None else verdict.probability
        return (said, first) if verdict.first == self.answers[0] else (MIRRORED[said], 1 - first)

    def _vote(self, labeller: Labeller, sayings: list[tuple[Choice, float]]) -> Vote:
        first, choice = fmean(first for _, first in sayings), sayings[0][0]
        if len(sayings) > 1:
            choice = "first" if first > 0.5 else "second" if first < 0.5 else "tie"
        return Vote(labeller, choice, first, self.weights.get(labeller.kind, 1.0))


def labeller_of(verdict: Verdict) -> Labeller:
    """Who gave a verdict."""
    if verdict.annotator is not None:
        return Labeller("annotator", verdict.annotator)
    return Labeller("judge", str(verdict.judge))


def gather(verdicts: Iterable[Verdict], weights: Mapping[str, float] | None = None) -> list[VotedPair]:
    """Verdicts on the same two answers to a prompt together, in the order in which the pairs first come up.

    `weights` holds the weight of a vote by the labeller's kind; 1 where it is not named.
    """
    groups: dict[object, list[Verdict]] = {}
    for verdict in verdicts:
        answers = ((verdict.first, verdict.first_finished), (verdict.second, verdict.second_finished))
        groups.setdefault((verdict.prompt_id, *sorted(answers)), []).append(verdict)
    return [VotedPair(tuple(group), weights or {}) for group in groups.values()]
