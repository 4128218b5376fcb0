"""Batches to label, for tests."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, select

from stemma.labelling.store.batch import NewBatch, NewItem
from stemma.labelling.store.people import Person
from stemma.labelling.store.shown import Answer, PairChoice, Shown
from stemma.labelling.store.store import LabelStore
from stemma.labelling.store.tables import verdicts
from stemma.records.types import Message


def item(number: int, answers: int = 2) -> NewItem:
    """An item whose texts hold its number."""
    return NewItem(
        prompt_id=f"p{number}",
        prompt=(Message(role="user", content=f"question {number}"),),
        answers=tuple(f"answer {number}/{index}" for index in range(answers)),
    )


def batch(size: int = 3, gold: int = 0, **changes: object) -> NewBatch:
    """A batch of some items, followed by gold ones whose first answer is right."""
    plain = [item(number) for number in range(size)]
    hidden = [replace(item(1000 + number), gold=0) for number in range(gold)]
    return replace(NewBatch("b", (*plain, *hidden), "Be **fair**."), **changes)  # type: ignore[arg-type]


def person(store: LabelStore, name: str) -> Person:
    """Somebody who is invited."""
    store.people.invite(name)
    return next(one for one in store.people.everybody() if one.name == name)


def shown_to(store: LabelStore, who: Person, batch_id: str = "b") -> Shown:
    """The next item for somebody, who has one."""
    shown = store.desk.next_item(who, batch_id)
    assert shown is not None
    return shown


def say(store: LabelStore, who: Person, choice: PairChoice = "first", batch_id: str = "b") -> Shown:
    """Answer the next item; returns it."""
    shown = shown_to(store, who, batch_id)
    assert store.desk.answer(who, batch_id, Answer(shown.request_id, choice)) == "recorded"
    return shown


def answers(shown: Shown) -> tuple[str, ...]:
    """The answers on a screen, in the batch's order."""
    return tuple(text for _, text in sorted(zip(shown.order, shown.answers, strict=True)))


def stored_rows(store: LabelStore) -> list[Row[Any]]:
    """Every row of the table of verdicts, in the order in which they came."""
    with store._database.reading() as connection:
        return list(connection.execute(select(verdicts).order_by(verdicts.c.id)))
