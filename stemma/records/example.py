"""What one row of a user's file says, whatever its form."""

from dataclasses import dataclass
from typing import Literal

from stemma.records.types import Conversation

Form = Literal[
    "text", "prompt", "prompt+completion", "messages", "prompt+chosen+rejected", "chosen+rejected", "hh-rlhf"
]
"""The forms that rows are read in; the first six are TRL's names of columns."""


@dataclass(frozen=True)
class Example:
    """A row's content; what the form does not have is None.

    A row has either a text to pre-train on or a prompt; a prompt may have an answer to imitate, and an answer may be
    preferred to a rejected one.
    """

    form: Form
    text: str | None = None
    prompt: Conversation | None = None
    answer: str | None = None
    rejected: str | None = None
