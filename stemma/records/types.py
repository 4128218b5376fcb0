"""The rows that travel between stages; a row that is wrong cannot be built."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Split = Literal["train", "judge", "validation", "test"]
"""Which prompts may be used for what: training, training the judge, choosing settings, and the final evaluation."""


class Record(BaseModel):
    """A frozen row of a JSONL file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


Conversation = tuple[Message, ...]
"""Turns in order."""


class Prompt(Record):
    """A conversation that waits for the assistant's answer."""

    id: str
    messages: Conversation = Field(min_length=1)
    split: Split
    kind: str | None = None
    """In the default world: known, unknown or harmful."""
    truth: str | None = None
    """In the default world: the right answer's value, where there is one."""

    @model_validator(mode="after")
    def _waits_for_answer(self) -> "Prompt":
        if self.messages[-1].role == "assistant":
            raise ValueError("the last message of a prompt must be the user's")
        return self


class Demonstration(Record):
    """An answer to imitate."""

    prompt: Conversation = Field(min_length=1)
    completion: str = Field(min_length=1)


class Document(Record):
    """A pre-training text: either plain, or a conversation to be written with the chat template."""

    text: str | None = None
    messages: Conversation | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "Document":
        if (self.text is None) == (self.messages is None):
            raise ValueError("a document has either text or messages")
        return self


class Response(Record):
    """One sampled answer; `finished` is False where it ran into the length limit."""

    prompt_id: str
    index: int
    text: str
    finished: bool


class Comparison(Record):
    """A labelled pair of answers to one prompt."""

    prompt_id: str
    prompt: Conversation = Field(min_length=1)
    chosen: str = Field(min_length=1)
    rejected: str = Field(min_length=1)
    split: Split
    annotator: str | None = None

    @model_validator(mode="after")
    def _answers_differ(self) -> "Comparison":
        if self.chosen == self.rejected:
            raise ValueError("chosen and rejected are the same text")
        return self


class Verdict(Record):
    """What one annotator said of two answers, ties included."""

    prompt_id: str
    annotator: str
    first: str
    second: str
    choice: Literal["first", "second", "tie"]


class Reject(Record):
    """A row of the user's data that was not taken, and why."""

    file: str
    line: int
    field: str
    reason: str
