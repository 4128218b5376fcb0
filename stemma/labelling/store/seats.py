"""An annotator's seat in a batch: one act at a time, and the next item."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, update

from stemma.labelling.store.database import insert_missing
from stemma.labelling.store.leases import claim
from stemma.labelling.store.people import Person
from stemma.labelling.store.queue import next_free, next_gold
from stemma.labelling.store.tables import batches, seats
from stemma.world.chance import chance

Seat = Row[*tuple[Any, ...]]


def take_seat(connection: Connection, batch_id: str, person: Person) -> Seat:
    """Hold an annotator's seat, so that his or her tabs act one after the other; one is made where there is none."""
    held = select(seats).where(_is(batch_id, person)).with_for_update()
    seat = connection.execute(held).first()
    if seat is None:
        none = {"passed": 0, "gold_passed": 0, "shown": 0, "given": 0}
        insert_missing(connection, seats, batch_id=batch_id, annotator_id=person.id, **none)
        seat = connection.execute(held).one()
    return seat


def count_given(connection: Connection, batch_id: str, person: Person, change: int) -> None:
    """Note that there is one verdict more, or one less."""
    connection.execute(update(seats).where(_is(batch_id, person)).values(given=seats.c.given + change))


def claim_next(
    connection: Connection, seat: Seat, person: Person, now: float, *, wait: bool = False
) -> tuple[int, str] | None:
    """Give the next item to the seat's annotator; returns its id and that of the request, None where nothing is free.

    Gold items come by chance among the others, in the share that the batch asks for.
    """
    share = connection.scalar(select(batches.c.gold_share).where(batches.c.id == seat.batch_id)) or 0.0
    place = next_free(connection, seat.batch_id, person.id, seat.passed, wait=wait)
    if place is None:
        return None
    passed = {"passed": max(seat.passed, place[1])}
    if chance(0, "gold", seat.batch_id, person.name, seat.shown).random() < share:
        gold = next_gold(connection, seat.batch_id, seat.gold_passed)
        if gold:
            place, passed = gold, {"gold_passed": gold[1]}
    connection.execute(update(seats).where(_is(seat.batch_id, person)).values(shown=seats.c.shown + 1, **passed))
    return place[0], claim(connection, seat.batch_id, place[0], person.id, now)


def _is(batch_id: str, person: Person) -> ColumnElement[bool]:
    return (seats.c.batch_id == batch_id) & (seats.c.annotator_id == person.id)
