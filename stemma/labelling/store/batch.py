"""What is put into the label store, and what it says of a batch."""

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from stemma.errors import LabelError
from stemma.records.types import Conversation, Origin

Form = Literal["pair", "rank"]
"""What is asked of an annotator: which of two answers is better, or an order of several."""
BatchState = Literal["open", "closed", "withdrawn"]

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MOST_ANSWERS = 9


@dataclass(frozen=True)
class NewItem:
    """A prompt with the answers to compare."""

    prompt_id: str
    prompt: Conversation
    answers: tuple[str, ...]
    gold: int | None = None
    """Index of the answer known to be best: such an item tests annotators, and its verdicts are no labels."""
    priority: float = 0
    """Items with more of it are shown first."""
    origin: Origin | None = None
    """What else is known of the item; every verdict on it carries this along."""
    finished: tuple[bool, ...] = ()
    """Which of the answers came to their end; empty means all. An answer that did not was cut at a length limit."""

    def content(self) -> dict[str, object]:
        """All of it but gold and priority, as JSON; `finished` where an answer was cut."""
        prompt = [message.model_dump() for message in self.prompt]
        cut = {} if all(self.finished) else {"finished": list(self.finished)}
        answers = list(self.answers)
        return {"prompt_id": self.prompt_id, "prompt": prompt, "answers": answers, "origin": self.origin, **cut}


@dataclass(frozen=True)
class NewBatch:
    """Items that are labelled together."""

    id: str
    items: tuple[NewItem, ...]
    guidelines: str
    """What annotators are told, in Markdown."""
    form: Form = "pair"
    overlap: int = 1
    """How many annotators give their opinion on an item."""
    source: dict[str, str] = field(default_factory=dict)
    """What the batch was made from: the keys `run`, `sample` (a DVC id) and `flow_run`."""
    gold_share: float = 0.1
    """Chance that the next item shown to an annotator is a gold one, as long as there are any new to him or her."""

    def check(self) -> None:
        """Raise LabelError where the batch cannot be labelled, naming the item."""
        if not ID.fullmatch(self.id):
            raise LabelError(f"batch id {self.id!r}: use up to 100 letters, digits, dots, dashes and underscores")
        if self.form not in {"pair", "rank"}:
            raise LabelError(f"batch {self.id}: the form is {self.form!r}; it must be pair or rank")
        if self.overlap < 1 or not 0 <= self.gold_share < 1:
            raise LabelError(f"batch {self.id}: overlap must be at least 1, and gold_share at least 0 and under 1")
        if all(item.gold is not None for item in self.items):
            raise LabelError(f"batch {self.id} has no item that needs a label")
        for number, item in enumerate(self.items):
            self._check_item(number, item)
        self.digest()

    def digest(self) -> str:
        """A sha256 of all of it but which answers are finished: a batch made before that was recorded is the same one.

        Raises LabelError where an origin or a number is no JSON.
        """
        items = [(replace(item, finished=()).content(), item.gold, item.priority) for item in self.items]
        told = (self.id, self.guidelines, self.form, self.overlap, self.source, self.gold_share, items)
        try:
            text = json.dumps(told, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise LabelError(f"batch {self.id} holds what is no JSON: {error}") from None
        return hashlib.sha256(text.encode()).hexdigest()

    def _check_item(self, number: int, item: NewItem) -> None:
        most = 2 if self.form == "pair" else MOST_ANSWERS
        if not item.prompt:
            raise LabelError(f"batch {self.id}, item {number}: the prompt has no turns")
        if not 2 <= len(item.answers) <= most:
            raise LabelError(f"batch {self.id}, item {number}: {len(item.answers)} answers; it takes 2 to {most}")
        if item.finished and len(item.finished) != len(item.answers):
            raise LabelError(f"batch {self.id}, item {number}: `finished` must have an entry for each answer")
        if item.gold is not None and not 0 <= item.gold < len(item.answers):
            raise LabelError(f"batch {self.id}, item {number}: gold is {item.gold}, which is no answer's index")


@dataclass(frozen=True)
class Batch:
    """A batch as the store has it."""

    id: str
    form: Form
    overlap: int
    gold_share: float
    guidelines: str
    source: dict[str, str]
    state: BatchState
    created: datetime
    closed: datetime | None = None
    """When it was closed or withdrawn."""
    closed_by: str | None = None
    closed_reason: str | None = None


@dataclass(frozen=True)
class Progress:
    """How far a batch is; gold items do not count, and neither do skips."""

    items: int
    wanted: int
    """Opinions that complete the batch."""
    given: int
    """Opinions that there are, no more than are wanted of each item."""

    @property
    def complete(self) -> bool:
        """Whether every item has its overlap."""
        return self.given >= self.wanted
