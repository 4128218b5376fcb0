"""The rows that travel between stages; a row that is wrong cannot be built."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

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
    """The slice of the data that it belongs to: known, unknown or harmful in the default world, and in your data the
    value of the field data.slice_field."""
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
    finished: bool = True
    """False if the completion was cut at a length limit: no end of turn is learned after it."""

    @property
    def turns(self) -> int:
        """How many assistant turns it has, the completion included."""
        return 1 + sum(message.role == "assistant" for message in self.prompt)


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


Origin = dict[str, JsonValue]
"""What the source of a row says beyond what a row needs: worker, batch, time, the policy that wrote an answer, …"""


class Comparison(Record):
    """A labelled pair of answers to one prompt."""

    prompt_id: str
    prompt: Conversation = Field(min_length=1)
    chosen: str = Field(min_length=1)
    rejected: str = Field(min_length=1)
    chosen_finished: bool = True
    """False if the chosen answer was cut at a length limit: it is then read without an end of turn."""
    rejected_finished: bool = True
    """The same of the rejected answer."""
    split: Split
    kind: str | None = None
    """The prompt's."""
    annotator: str | None = None
    """The person, or simulated annotator, whose verdict it is; None where several gave it or nobody is named."""
    judge: str | None = None
    """The AI judge whose verdict it is."""
    probability: float | None = Field(None, ge=0.5, le=1)
    """Chance that the chosen answer is the better one, for training on soft labels; None is a plain label."""
    weight: float = Field(1.0, gt=0)
    """How much it counts in training, against a plain comparison."""
    age: int | None = Field(None, ge=1)
    """How many rounds ago it was labelled; None where that was in this run."""
    origin: Origin | None = None

    @model_validator(mode="after")
    def _answers_differ(self) -> "Comparison":
        if self.chosen == self.rejected:
            raise ValueError("chosen and rejected are the same text")
        return self


class Verdict(Record):
    """What one annotator or AI judge said of two answers, ties and skips included."""

    prompt_id: str
    annotator: str | None = None
    judge: str | None = None
    first: str
    second: str
    first_finished: bool = True
    """False if the first answer was cut at a length limit."""
    second_finished: bool = True
    """The same of the second answer."""
    choice: Literal["first", "second", "tie", "both_bad", "skip"]
    probability: float | None = Field(None, ge=0, le=1)
    """Chance that `first` is the better one, as an AI judge puts it."""
    strength: int | None = Field(None, ge=1, le=3)
    """How much better: 1 slightly, 2 clearly, 3 far."""
    note: str | None = None
    origin: Origin | None = None

    @model_validator(mode="after")
    def _one_gave_it(self) -> "Verdict":
        if (self.annotator is None) == (self.judge is None):
            raise ValueError("a verdict has either an annotator or a judge")
        return self


class Reject(Record):
    """A row of the user's data that was not taken, and why."""

    file: str
    line: int
    field: str
    reason: str
