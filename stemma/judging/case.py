"""What is put before an AI judge, and what it makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from stemma.judging.judge import Answer
from stemma.records.types import Origin, Prompt, Verdict

PROBABILITY_DIGITS = 6

Order = Literal["first_second", "second_first"]
"""Which of a case's answers the judge read first."""


@dataclass(frozen=True)
class Case:
    """Two answers to a prompt."""

    prompt: Prompt
    first: Answer
    second: Answer

    def shown(self, order: Order) -> tuple[str, str]:
        """The answers' texts in an order."""
        first, second = self.first.text, self.second.text
        return (first, second) if order == "first_second" else (second, first)


@dataclass(frozen=True)
class Opinion:
    """What a judge makes of a case."""

    probability: float
    """Chance that the case's first answer is the better one."""
    origin: Origin
    """All that a verdict keeps of how it came about."""
    tokens: int = 0
    """How many tokens the servers that gave it told of."""


class AiJudge(Protocol):
    """Compares answers."""

    @property
    def name(self) -> str:
        """Who gives the verdicts."""

    def opinions(self, cases: "Sequence[Case]") -> "list[Opinion | None]":
        """An opinion of every case; None where what the judge said could not be read."""

    @property
    def broken(self) -> dict[str, int]:
        """Why answers could not be read, with how many."""


def verdict_of(judge: str, case: Case, opinion: Opinion) -> Verdict:
    """An opinion as a row; a probability of one half is a tie."""
    probability = round(opinion.probability, PROBABILITY_DIGITS)
    return Verdict(
        prompt_id=case.prompt.id,
        judge=judge,
        first=case.first.text,
        second=case.second.text,
        first_finished=case.first.finished,
        second_finished=case.second.finished,
        choice="tie" if probability == 0.5 else "first" if probability > 0.5 else "second",
        probability=probability,
        origin=opinion.origin,
    )
