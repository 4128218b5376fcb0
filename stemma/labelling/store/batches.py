"""Batches: how they come into the store, and how they end."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from stemma.errors import LabelError
from stemma.labelling.store.batch import Batch, NewBatch
from stemma.labelling.store.queue import has_waiting, progress, queue_rows
from stemma.labelling.store.tables import batch_events, batches, items, queue

BY_ITSELF = "the last verdict"
ENDINGS = ("closed", "withdrawn")


def add_batch(connection: Connection, batch: NewBatch, now: float) -> None:
    """Add a batch with its items; one that is there already stays as it is.

    Raises LabelError where there is another batch of that id.
    """
    digest = batch.digest()
    known = connection.scalar(select(batches.c.digest).where(batches.c.id == batch.id))
    if known == digest:
        return
    if known:
        raise LabelError(f"there is a batch {batch.id} with other content; give this one another id")
    fields = {key: getattr(batch, key) for key in ("id", "form", "overlap", "gold_share", "guidelines", "source")}
    row = {**fields, "digest": digest, "state": "open", "announced": False, "created": now}
    connection.execute(insert(batches).values(row))
    rows = [
        {
            "batch_id": batch.id,
            "position": position,
            "gold": item.gold,
            "priority": item.priority,
            "content": item.content(),
        }
        for position, item in enumerate(batch.items)
    ]
    connection.execute(insert(items), rows)
    ids = connection.scalars(select(items.c.id).where(items.c.batch_id == batch.id).order_by(items.c.position))
    connection.execute(insert(queue), queue_rows(batch.id, batch.overlap, zip(ids, batch.items, strict=True)))
    add_event(connection, batch.id, now, "made", "", "")


def find_batches(connection: Connection, batch_id: str | None = None) -> list[Batch]:
    """All batches, or the one of that id, in the order in which they were made."""
    if batch_id is None:
        chosen, endings = connection.execute(_BATCHES), connection.execute(_ENDINGS)
    else:
        one = {"batch": batch_id}
        chosen, endings = connection.execute(_ONE_BATCH, one), connection.execute(_ITS_ENDING, one)
    last = {row.batch_id: row for row in endings}
    return [_batch(row, last.get(row.id)) for row in chosen]


def end_batch(connection: Connection, batch_id: str, who: str, reason: str, now: float, *, partial: bool) -> None:
    """Close an open batch.

    Raises LabelError where there is none of that id, it is not open, or opinions are missing and `partial` is False.
    """
    lock_open(connection, batch_id)
    if not partial and has_waiting(connection, batch_id):
        so_far = progress(connection, batch_id)
        raise LabelError(
            f"batch {batch_id} is incomplete: {so_far.given} of {so_far.wanted} opinions; wait for the others, "
            "or say that it shall be closed as it is (--partial)"
        )
    _leave(connection, batch_id, "closed", who, reason, now)


def withdraw_batch(connection: Connection, batch_id: str, who: str, reason: str, now: float) -> None:
    """Take an open batch back: nobody is asked any more, and nothing comes of it.

    Raises LabelError where there is none of that id, or it is not open.
    """
    lock_open(connection, batch_id)
    _leave(connection, batch_id, "withdrawn", who, reason, now)


def close_if_complete(connection: Connection, batch_id: str, now: float) -> bool:
    """Close a batch that is open and lacks nothing; returns whether it was."""
    state = connection.scalar(select(batches.c.state).where(batches.c.id == batch_id).with_for_update(key_share=True))
    if state != "open" or has_waiting(connection, batch_id):
        return False
    _leave(connection, batch_id, "closed", BY_ITSELF, "every item has its opinions", now)
    return True


def lock_open(connection: Connection, batch_id: str) -> None:
    """Hold a batch, so that nothing else ends it or adds to it until this transaction is over.

    Raises LabelError where there is none of that id, or it is not open.
    """
    state = connection.scalar(select(batches.c.state).where(batches.c.id == batch_id).with_for_update(key_share=True))
    if state is None:
        raise LabelError(f"there is no batch {batch_id}; `stemma label batches` lists them")
    if state != "open":
        raise LabelError(f"batch {batch_id} is {state} already")


def add_event(connection: Connection, batch_id: str, now: float, event: str, who: str, reason: str) -> None:
    """Record what happened to a batch."""
    connection.execute(insert(batch_events).values(batch_id=batch_id, time=now, event=event, who=who, reason=reason))


def _leave(connection: Connection, batch_id: str, state: str, who: str, reason: str, now: float) -> None:
    connection.execute(update(batches).where(batches.c.id == batch_id).values(state=state))
    add_event(connection, batch_id, now, state, who, reason)


def _batch(row: Row[Any], ending: Row[Any] | None) -> Batch:
    return Batch(
        id=row.id,
        form=row.form,
        overlap=row.overlap,
        gold_share=row.gold_share,
        guidelines=row.guidelines,
        source=row.source,
        state=row.state,
        created=datetime.fromtimestamp(row.created, UTC),
        closed=datetime.fromtimestamp(ending.time, UTC) if ending else None,
        closed_by=ending.who if ending else None,
        closed_reason=ending.reason if ending else None,
    )


# Made once: making a statement takes longer than what SQLite does for it.

_BATCHES = select(batches).order_by(batches.c.created, batches.c.id)
_ONE_BATCH = select(batches).where(batches.c.id == bindparam("batch"))
_ENDINGS = (
    select(batch_events.c.batch_id, batch_events.c.time, batch_events.c.who, batch_events.c.reason)
    .where(batch_events.c.event.in_(ENDINGS))
    .order_by(batch_events.c.id)
)
_ITS_ENDING = _ENDINGS.where(batch_events.c.batch_id == bindparam("batch"))
