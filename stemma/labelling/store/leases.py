"""Leases: an item on somebody's screen is theirs for a while, and comes back where they leave it."""

import secrets

from sqlalchemy import ColumnElement, Connection, Row, Select, Update, select, update
from sqlalchemy.dialects import postgresql, sqlite

from stemma.labelling.store.queue import move
from stemma.labelling.store.tables import assignments

LEASE_SECONDS = 30 * 60


def own_open(connection: Connection, batch_id: str, annotator_id: int) -> Row[int, str, float, float] | None:
    """What the annotator has on screen: item, request, when claimed, until when; what was undone last comes first."""
    return connection.execute(
        select(assignments.c.item_id, assignments.c.request_id, assignments.c.claimed, assignments.c.expires)
        .where(
            assignments.c.annotator_id == annotator_id,
            assignments.c.batch_id == batch_id,
            assignments.c.state == "open",
        )
        .order_by(assignments.c.claimed.desc(), assignments.c.item_id.desc())
        .limit(1)
    ).first()


def claim(connection: Connection, batch_id: str, item_id: int, annotator_id: int, now: float) -> str:
    """Give a free item to an annotator; returns the id of the request that will answer it."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    lease = {"state": "open", "claimed": now, "expires": now + LEASE_SECONDS}
    key = {"item_id": item_id, "annotator_id": annotator_id}
    row = {**key, "batch_id": batch_id, "request_id": new_request(), **lease}
    # One that lapsed keeps its request, because its form may still be on a screen.
    taken = make(assignments).values(row).on_conflict_do_update(index_elements=list(key), set_=lease)
    move(connection, item_id, taken=1)
    request_id: str = connection.execute(taken.returning(assignments.c.request_id)).scalar_one()
    return request_id


def renew(connection: Connection, item_id: int, annotator_id: int, now: float) -> None:
    """Let the lease of an item that is shown again begin anew."""
    connection.execute(_of(item_id, annotator_id).values(claimed=now, expires=now + LEASE_SECONDS))


def finish(connection: Connection, item_id: int, annotator_id: int, verdict_id: int) -> None:
    """Note that an annotator has answered."""
    connection.execute(_of(item_id, annotator_id).values(state="done", verdict_id=verdict_id))


def reopen(connection: Connection, item_id: int, annotator_id: int, now: float) -> None:
    """Put an answered item back on its annotator's screen, as a new request."""
    lease = {"state": "open", "claimed": now, "expires": now + LEASE_SECONDS}
    connection.execute(_of(item_id, annotator_id).values(request_id=new_request(), verdict_id=None, **lease))


def lapsing(batch_id: str, now: float) -> Select[int, int]:
    """The leases of a batch that have run out."""
    return _open_leases(assignments.c.batch_id == batch_id, assignments.c.state == "open", assignments.c.expires < now)


def lapse(connection: Connection, batch_id: str, now: float) -> None:
    """Let the items whose leases have run out come back."""
    _lapse(connection, lapsing(batch_id, now).with_for_update(skip_locked=True))


def give_back(connection: Connection, annotator_id: int) -> None:
    """Let the items on an annotator's screen come back."""
    own = (assignments.c.annotator_id == annotator_id, assignments.c.state == "open")
    _lapse(connection, _open_leases(*own).with_for_update())


def new_request() -> str:
    """An id that nobody can guess."""
    return secrets.token_urlsafe(16)


def _open_leases(*conditions: ColumnElement[bool]) -> Select[int, int]:
    return select(assignments.c.item_id, assignments.c.annotator_id).where(*conditions)


def _lapse(connection: Connection, leases: Select[int, int]) -> None:
    # Whoever changes several items takes them in the order of their ids: two who do so cannot wait for each other.
    for item_id, annotator_id in sorted((row.item_id, row.annotator_id) for row in connection.execute(leases)):
        connection.execute(_of(item_id, annotator_id).values(state="lapsed"))
        move(connection, item_id, taken=-1)


def _of(item_id: int, annotator_id: int) -> Update:
    return update(assignments).where(assignments.c.item_id == item_id, assignments.c.annotator_id == annotator_id)
