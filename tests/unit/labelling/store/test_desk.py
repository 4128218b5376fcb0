"""What annotators get to see, and what becomes of what they say; on both databases."""

from dataclasses import replace

import pytest

from stemma.errors import LabelError
from stemma.labelling.store.leases import LEASE_SECONDS
from stemma.labelling.store.people import Person
from stemma.labelling.store.shown import Answer, Shown
from stemma.labelling.store.store import LabelStore
from tests.labelling import batch, item, person
from tests.unit.labelling.store.conftest import Clock


def shown_to(store: LabelStore, who: Person) -> Shown:
    shown = store.desk.next_item(who, "b")
    assert shown is not None
    return shown


def say(store: LabelStore, who: Person, choice: str = "first") -> Shown:
    shown = shown_to(store, who)
    assert store.desk.answer(who, "b", Answer(shown.request_id, choice)) == "recorded"  # type: ignore[arg-type]
    return shown


def test_all_items_come_once_in_order_and_the_last_verdict_closes_the_batch(store: LabelStore) -> None:
    store.make_batch(batch(3))
    ada = person(store, "ada")
    assert [say(store, ada).item for _ in range(3)] == [0, 1, 2]
    assert store.desk.next_item(ada, "b") is None
    closed = store.batch("b")
    assert closed is not None
    assert (closed.state, closed.closed_by) == ("closed", "the last verdict")
    assert [verdict.prompt_id for verdict in store.verdicts("b")] == ["p0", "p1", "p2"]


def test_higher_priority_comes_first(store: LabelStore) -> None:
    items = tuple(replace(item(number), priority=number % 3) for number in range(6))
    store.make_batch(batch(items=items))
    ada = person(store, "ada")
    assert [say(store, ada).item for _ in range(6)] == [2, 5, 1, 4, 0, 3]
