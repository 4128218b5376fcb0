"""Threads that label at once, click twice and send again: nothing is lost, doubled or miscounted."""

import random
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select

from stemma.labelling.store.people import Person
from stemma.labelling.store.queue import has_waiting
from stemma.labelling.store.shown import Answer, PairChoice
from stemma.labelling.store.store import LabelStore, open_store
from stemma.labelling.store.tables import assignments, queue, seats
from tests.labelling import batch, person, stored_rows

PEOPLE, ITEMS, OVERLAP = 8, 50, 3
CHOICES: tuple[PairChoice, ...] = ("first", "second", "tie", "both_bad", "skip")


def label(store: LabelStore, who: Person) -> Counter[str]:
    """Label until nothing is left, clumsily; returns how often each request was acknowledged as recorded."""
    chance = random.Random(who.name)  # noqa: S311 -- a test's dice
    recorded: Counter[str] = Counter()
    while shown := store.desk.next_item(who, "b"):
        choice = chance.choices(CHOICES, [5, 5, 2, 1, 1])[0]
        for _ in range(chance.choice([1, 1, 2, 3])):
            if store.desk.answer(who, "b", Answer(shown.request_id, choice)) == "recorded":
                recorded[shown.request_id] += 1
        if chance.random() < 0.05:
            outcomes = [store.desk.undo(who, "b", shown.request_id) for _ in range(2)]
            if outcomes[0] == "recorded":
                recorded[f"undo:{shown.request_id}"] += 1
    return recorded


def label_at_once(store: LabelStore, people: Sequence[Person]) -> Counter[str]:
    """Let everybody label until they find nothing; the batch is closed then if no item lacks opinions."""
    with ThreadPoolExecutor(len(people)) as threads:
        acknowledged = sum(threads.map(lambda who: label(store, who), people), Counter[str]())
    with store._database.reading() as connection:
        waiting = has_waiting(connection, "b")
    found = store.batch("b")
    assert found is not None
    assert found.state == ("open" if waiting else "closed")
    return acknowledged


def test_many_label_at_once_and_nothing_is_lost_or_doubled(url: str) -> None:
    store = open_store(url)
    store.make_batch(batch(ITEMS, overlap=OVERLAP, gold=10))
    people = [person(store, f"annotator-{number}") for number in range(PEOPLE)]
    acknowledged: Counter[str] = Counter()
    # Two tabs each. Who finds nothing free leaves; what somebody skips after that waits until they come back.
    while more := label_at_once(store, people * 2):
        acknowledged += more
    rows = stored_rows(store)
    assert set(acknowledged.values()) == {1}
    assert Counter(row.request_id for row in rows) == acknowledged
    closed = store.batch("b")
    assert closed is not None
    assert closed.state == "closed"
    counted_again(store, rows)
    store.close_connections()


def counted_again(store: LabelStore, rows: Sequence[Row[Any]]) -> None:
    """What the queue and the seats say is what the rows say."""
    last = {(row.item_id, row.annotator_id): row.choice for row in rows}
    opinions: Counter[int] = Counter()
    given: Counter[int] = Counter()
    for (item, annotator), choice in last.items():
        opinions[item] += choice not in {"skip", "undo"}
        given[annotator] += choice != "undo"
    with store._database.reading() as connection:
        places = list(connection.execute(select(queue).where(queue.c.kind != "gold")))
        leases = connection.scalars(select(assignments.c.item_id).where(assignments.c.state == "open"))
        open_leases = Counter(item for item in leases if item in {row.item_id for row in places})
        sitting = {row.annotator_id: row.given for row in connection.execute(select(seats))}
    assert {row.item_id: row.opinions for row in places} == {row.item_id: opinions[row.item_id] for row in places}
    assert all(row.opinions >= row.overlap for row in places)
    assert {row.item_id: row.taken - row.opinions for row in places if row.taken > row.opinions} == open_leases
    assert sitting == {annotator: given[annotator] for annotator in sitting}


WRITER = """
import sys
from stemma.labelling.store.queue import has_waiting
from stemma.labelling.store.shown import Answer
from stemma.labelling.store.store import open_store
store = open_store(sys.argv[1])
who = store.people.everybody()[0]
while shown := store.desk.next_item(who, "b"):
    store.desk.answer(who, "b", Answer(shown.request_id, "first"))
    print(shown.request_id, flush=True)
"""


def test_what_was_acknowledged_survives_a_killed_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'labels.db'}"
    store = open_store(url)
    store.make_batch(batch(5000))
    person(store, "ada")
    with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(40)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]
    stored = [row.request_id for row in stored_rows(store)]
    assert stored[: len(acknowledged)] == acknowledged
    assert len(stored) <= len(acknowledged) + 1, "at most the one whose answer was not heard"
    store.close_connections()


def test_both_databases_tell_the_same(tmp_path: Path, postgres: str) -> None:
    told: dict[str, list[object]] = defaultdict(list)
    for url in (f"sqlite:///{tmp_path / 'labels.db'}", postgres):
        store = open_store(url)
        store.make_batch(batch(30, overlap=2, gold=5))
        people = [person(store, name) for name in ("ada", "ben", "cleo")]
        chance = random.Random(7)  # noqa: S311 -- a test's dice
        for _ in range(90):
            who = chance.choice(people)
            shown = store.desk.next_item(who, "b")
            if shown is None:
                continue
            told[url].append((who.name, shown.item, shown.answers))
            choice = chance.choice(CHOICES)
            told[url].append(store.desk.answer(who, "b", Answer(shown.request_id, choice, note="n")))
            if chance.random() < 0.2:
                store.desk.undo(who, "b", shown.request_id)
        told[url].append(store.progress("b"))
        told[url] += [verdict.model_dump(exclude={"origin": {"time", "seconds"}}) for verdict in store.verdicts("b")]
        store.close_connections()
    one, other = told.values()
    assert one == other
    assert len(one) > 100
