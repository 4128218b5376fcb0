"""A judge scores answers at evaluation; what it is depends on the data."""

from collections.abc import Sequence
from typing import Protocol

from stemma.judging.kinds import JudgeKind
from stemma.records.types import Prompt


class Answer(Protocol):
    """What a judge looks at of an answer."""

    @property
    def text(self) -> str:
        """What the answer says."""

    @property
    def finished(self) -> bool:
        """False where it ran into the length limit."""


class Judge(Protocol):
    """Scores answers; higher is better. Scores of different judges cannot be compared."""

    @property
    def kind(self) -> JudgeKind:
        """What it is."""

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[float]:
        """The score of answers[i] to prompts[i], for every i."""
