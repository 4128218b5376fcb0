"""An annotator's desk: the next item, a verdict on it, and taking a verdict back."""

from dataclasses import dataclass
from statistics import median
from typing import Literal

from sqlalchemy import Connection, bindparam, func, select

from stemma.errors import LabelError
from stemma.labelling.store.batches import close_if_complete
from stemma.labelling.store.database import Database
from stemma.labelling.store.leases import (
    LEASE_SECONDS,
    has_lapsing,
    lapse,
    own_open,
    renew,
)
from stemma.labelling.store.people import Person
from stemma.labelling.store.queue import WAITING, has_waiting
from stemma.labelling.store.recording import is_known, record, take_back, undoing
from stemma.labelling.store.seats import claim_next, take_seat
from stemma.labelling.store.shown import Answer, Shown, show
from stemma.labelling.store.tables import annotators, assignments, batches, queue, seats, verdicts

Outcome = Literal["recorded", "known", "too late", "not now"]
"""`known`: it was sent before, and counts once. `too late`: the batch has ended. `not now`: the annotator is paused."""

PACE_OF = 20


@dataclass(frozen=True)
class Standing:
    """How far an annotator is in a batch."""

    given: int
    pace: float | None
    """Median of the seconds that the last verdicts took; None before the first."""
    last_request: str | None
    """The verdict that can be taken back."""


class Desk:
    """What annotators do; `person` is always somebody whom the store knows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_item(self, person: Person, batch_id: str) -> Shown | None:
        """The item on the annotator's screen, or the next one for him or her; None where nothing is free.

        The same until it is answered, in all tabs.
        """
        now = self._database.clock()
        with self._database.reading() as connection:
            held = own_open(connection, batch_id, person.id)
            if held and held.expires > now + LEASE_SECONDS / 2:
                return show(connection, held.item_id, person.name, held.request_id)
        self._let_lapse(batch_id, now)
        shown = self._claimed(person, batch_id, now)
        if shown is None:
            self._close_if_complete(batch_id)
        return shown

    def answer(self, person: Person, batch_id: str, answer: Answer) -> Outcome:
        """Record a verdict, and take the next item for the same annotator.

        Raises LabelError where there is no such batch, the request is not one of the annotator's, or the verdict does
        not fit its form.
        """
        now = self._database.clock()
        self._let_lapse(batch_id, now)
        with self._database.writing() as connection:
            is_open = _hold_batch(connection, batch_id)
            seat = take_seat(connection, batch_id, person)
            if is_known(connection, answer.request_id, person):
                return "known"
            refusal = _refusal(connection, person, is_open=is_open)
            if refusal:
                return refusal
            is_done = record(connection, batch_id, person, answer, now)
            if own_open(connection, batch_id, person.id) is None:
                claim_next(connection, seat, person, now)
        if is_done:
            self._close_if_complete(batch_id)
        return "recorded"

    def undo(self, person: Person, batch_id: str, request_id: str) -> Outcome:
        """Take the verdict of that request back; its item comes again.

        Raises LabelError where the annotator gave no verdict of that request.
        """
        now = self._database.clock()
        with self._database.writing() as connection:
            is_open = _hold_batch(connection, batch_id)
            take_seat(connection, batch_id, person)
            if is_known(connection, undoing(request_id), person):
                return "known"
            refusal = _refusal(connection, person, is_open=is_open)
            if refusal:
                return refusal
            take_back(connection, batch_id, person, request_id, now)
        return "recorded"

    def standing(self, person: Person, batch_id: str) -> Standing:
        """How far the annotator is in the batch."""
        own = {"annotator": person.id, "batch": batch_id}
        with self._database.reading() as connection:
            given = connection.scalar(_GIVEN, own)
            last = connection.scalar(_LAST, own)
            took = connection.scalars(_TOOK, own)
            seconds = [value for value in took if value is not None]
        return Standing(given or 0, median(seconds) if seconds else None, last)

    def items_left(self, batch_id: str) -> tuple[int, int]:
        """How many items a batch has, gold ones left out, and how many of them lack opinions."""
        query = select(queue.c.kind, func.count()).where(queue.c.batch_id == batch_id).group_by(queue.c.kind)
        with self._database.reading() as connection:
            counts = {kind: count for kind, count in connection.execute(query) if kind != "gold"}
        return sum(counts.values()), sum(counts.get(kind, 0) for kind in WAITING)

    def _claimed(self, person: Person, batch_id: str, now: float) -> Shown | None:
        with self._database.writing() as connection:
            is_open = _hold_batch(connection, batch_id)
            seat = take_seat(connection, batch_id, person)
            if _refusal(connection, person, is_open=is_open):
                return None
            held = own_open(connection, batch_id, person.id)
            if held:
                renew(connection, held.item_id, person.id, now)
                return show(connection, held.item_id, person.name, held.request_id)
            claimed = claim_next(connection, seat, person, now, wait=True)
            return show(connection, claimed[0], person.name, claimed[1]) if claimed else None

    def _let_lapse(self, batch_id: str, now: float) -> None:
        with self._database.reading() as connection:
            if not has_lapsing(connection, batch_id, now):
                return
        with self._database.writing() as connection:
            lapse(connection, batch_id, now)

    def _close_if_complete(self, batch_id: str) -> None:
        # In a transaction of its own: two who finish the last two items at once do not see each other before.
        with self._database.reading() as connection:
            if has_waiting(connection, batch_id):
                return
        with self._database.writing() as connection:
            close_if_complete(connection, batch_id, self._database.clock())


def _hold_batch(connection: Connection, batch_id: str) -> bool:
    """Whether the batch is open; it stays so until the transaction ends, so that none is closed under a verdict."""
    state = connection.scalar(_BATCH_STATE, {"batch": batch_id})
    if state is None:
        raise LabelError(f"there is no batch {batch_id}")
    return bool(state == "open")


def _refusal(connection: Connection, person: Person, *, is_open: bool) -> Outcome | None:
    if not is_open:
        return "too late"
    # Read while the seat is held: whoever pauses or withdraws an annotator takes the seat, too.
    is_active = connection.scalar(_STATE, {"annotator": person.id}) == "active"
    return None if is_active else "not now"


# Made once: making a statement takes longer than what SQLite does for it.

_BATCH_STATE = select(batches.c.state).where(batches.c.id == bindparam("batch")).with_for_update(read=True)
_STATE = select(annotators.c.state).where(annotators.c.id == bindparam("annotator"))
_GIVEN = select(seats.c.given).where(
    seats.c.batch_id == bindparam("batch"), seats.c.annotator_id == bindparam("annotator")
)
_LAST = (
    select(assignments.c.request_id)
    .where(assignments.c.annotator_id == bindparam("annotator"), assignments.c.batch_id == bindparam("batch"))
    .where(assignments.c.state == "done")
    .order_by(assignments.c.verdict_id.desc())
    .limit(1)
)
_TOOK = (
    select(verdicts.c.seconds)
    .where(verdicts.c.annotator_id == bindparam("annotator"), verdicts.c.batch_id == bindparam("batch"))
    .order_by(verdicts.c.id.desc())
    .limit(PACE_OF)
)
