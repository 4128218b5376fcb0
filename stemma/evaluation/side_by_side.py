"""The rows of answers.jsonl, for people who want to read what the numbers are about."""

from stemma.evaluation.report import Mode
from stemma.records.types import Conversation, Record
from stemma.world.gold import Outcome


class JudgedAnswer(Record):
    """An answer and what its judge made of it; the outcome is the gold rule's, where there is one."""

    text: str
    finished: bool
    score: float
    outcome: Outcome | None = None


class SideBySide(Record):
    """The SFT policy's and the tuned policy's answer to one prompt."""

    prompt_id: str
    kind: str | None = None
    prompt: Conversation
    mode: Mode
    index: int
    """Which of the samples for this prompt."""
    sft: JudgedAnswer
    tuned: JudgedAnswer
