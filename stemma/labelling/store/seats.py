"""An annotator's seat in a batch: one act at a time, and the next item."""

from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, select, update

from stemma.labelling.store.database import insert_missing
from stemma.labelling.store.leases import claim
from stemma.labelling.store.people import Person
from stemma.labelling.store.queue import next_free, next_gold
from stemma.labelling.store.tables import batches, seats
from stemma.world.chance import chance

Seat = Row[Any]


def take_seat(connection: Connection, batch_id: str, person: Person) -> Seat:
    """Hold an annotator's seat, so that his or her tabs act one after the other; one is made where there is none."""
    key = {"batch": batch_id, "annotator": person.id}
    seat = connection.execute(_SEAT, key).first()
    if seat is None:
        none = {"passed": 0, "gold_passed": 0, "shown": 0, "given": 0}
        insert_missing(connection, seats, batch_id=batch_id, annotator_id=person.id, **none)
        seat = connection.execute(_SEAT, key).one()
    return seat


def count_given(connection: Connection, batch_id: str, person: Person, change: int) -> None:
    """Note that there is one verdict more, or one less."""
    connection.execute(_COUNT, {"batch": batch_id, "annotator": person.id, "more": change})


def claim_next(
    connection: Connection, seat: Seat, person: Person, now: float, *, wait: bool = False
) -> tuple[int, str] | None:
    """Give the next item to the seat's annotator; returns its id and that of the request, None where nothing is free.

    Gold items come by chance among the others, in the share that the batch asks for.
    """
    share = connection.scalar(_GOLD_SHARE, {"batch": seat.batch_id}) or 0.0
    place = next_free(connection, seat.batch_id, person.id, seat.passed, wait=wait)
    if place is None:
        return None
    passed = {"passed": max(seat.passed, place[1]), "gold_passed": seat.gold_passed}
    if chance(0, "gold", seat.batch_id, person.name, seat.shown).random() < share:
        gold = next_gold(connection, seat.batch_id, seat.gold_passed)
        if gold:
            place, passed = gold, {"passed": seat.passed, "gold_passed": gold[1]}
    connection.execute(_PASS, {"batch": seat.batch_id, "annotator": person.id, "shown": seat.shown + 1, **passed})
    return place[0], claim(connection, seat.batch_id, place[0], person.id, now)


# Made once: making a statement takes longer than what SQLite does for it.

_OWN = (seats.c.batch_id == bindparam("batch"), seats.c.annotator_id == bindparam("annotator"))
_SEAT = select(seats).where(*_OWN).with_for_update()
_PASS = update(seats).where(*_OWN)
_COUNT = update(seats).where(*_OWN).values(given=seats.c.given + bindparam("more", type_=Integer))
_GOLD_SHARE = select(batches.c.gold_share).where(batches.c.id == bindparam("batch"))
