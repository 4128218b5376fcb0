"""Batches to label, for tests."""

from dataclasses import replace

from stemma.labelling.store.batch import NewBatch, NewItem
from stemma.labelling.store.people import Person
from stemma.labelling.store.store import LabelStore
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
