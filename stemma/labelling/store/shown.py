"""What an annotator sees, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, bindparam, select

from stemma.errors import LabelError
from stemma.labelling.store.batch import Form
from stemma.labelling.store.tables import batches, items
from stemma.records.types import Conversation, Message
from stemma.world.chance import chance

PairChoice = Literal["first", "second", "tie", "both_bad", "skip"]
Ranking = tuple[tuple[int, ...], ...]
"""Groups of answers' indices, the best group first; answers of one group are equally good."""
LONGEST_NOTE = 2000


@dataclass(frozen=True)
class Shown:
    """An item on an annotator's screen."""

    request_id: str
    """Names this showing: whatever is sent for it twice counts once."""
    batch_id: str
    item: int
    """Its place in the batch."""
    form: Form
    prompt: Conversation
    answers: tuple[str, ...]
    """In the order shown."""
    finished: tuple[bool, ...]
    """Which of them, in that order, came to their end; the others were cut at a length limit."""
    order: tuple[int, ...]
    """Each one's index in the batch."""


@dataclass(frozen=True)
class Answer:
    """What an annotator says of a shown item; either a choice or a ranking."""

    request_id: str
    choice: PairChoice | None = None
    ranking: Ranking | None = None
    """Of the answers as shown, by their place from 0 on."""
    strength: int | None = None
    note: str | None = None

    def check(self, form: Form, count: int) -> None:
        """Raise LabelError where this is no answer to a form with that many answers."""
        if (self.choice is None) == (self.ranking is None):
            raise LabelError("a verdict is either a choice or a ranking")
        if self.ranking is None and form == "rank" and self.choice != "skip":
            raise LabelError("this item asks for a ranking, or to be skipped")
        if self.ranking is not None and form == "pair":
            raise LabelError("this item asks for a choice between two answers")
        if self.ranking is not None and not is_ranking(self.ranking, count):
            raise LabelError(f"the ranking must hold each of the {count} answers once")
        if self.strength not in {None, 1, 2, 3}:
            raise LabelError("strength is 1, 2 or 3")
        if self.note and len(self.note) > LONGEST_NOTE:
            raise LabelError(f"the note is longer than {LONGEST_NOTE} characters")


def shown_order(batch_id: str, item: int, name: str, count: int) -> list[int]:
    """The answers' indices in the order in which an annotator sees them: by chance, but always the same."""
    order = list(range(count))
    chance(0, "shown order", batch_id, item, name).shuffle(order)
    return order


def show(connection: Connection, item_id: int, name: str, request_id: str) -> Shown:
    """Read an item as it is shown to an annotator."""
    row = connection.execute(_ITEM, {"item": item_id}).one()
    answers: Sequence[str] = row.content["answers"]
    finished: Sequence[bool] = row.content.get("finished") or [True] * len(answers)
    order = shown_order(row.batch_id, row.position, name, len(answers))
    return Shown(
        request_id=request_id,
        batch_id=row.batch_id,
        item=row.position,
        form=row.form,
        prompt=tuple(Message(**message) for message in row.content["prompt"]),
        answers=tuple(answers[index] for index in order),
        finished=tuple(finished[index] for index in order),
        order=tuple(order),
    )


def is_ranking(ranking: Ranking, count: int) -> bool:
    """Whether each of so many answers is ranked once."""
    return all(ranking) and sorted(index for group in ranking for index in group) == list(range(count))


_ITEM = (
    select(items.c.batch_id, items.c.position, items.c.content, batches.c.form)
    .join(batches, batches.c.id == items.c.batch_id)
    .where(items.c.id == bindparam("item"))
)
