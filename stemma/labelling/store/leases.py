"""Leases: an item on somebody's screen is theirs for a while, and comes back where they leave it."""

import secrets
from collections.abc import Iterable

from sqlalchemy import Connection, Row, bindparam, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from stemma.labelling.store.queue import move
from stemma.labelling.store.tables import assignments, batches

LEASE_SECONDS = 30 * 60


def own_open(connection: Connection, batch_id: str, annotator_id: int) -> Row[tuple[int, str, float]] | None:
    """What the annotator has on screen of an open batch: item, request, until when; what was undone comes first."""
    return connection.execute(_OWN_OPEN, {"batch": batch_id, "annotator": annotator_id}).first()


def claim(connection: Connection, batch_id: str, item_id: int, annotator_id: int, now: float) -> str:
    """Give a free item to an annotator; returns the id of the request that will answer it."""
    move(connection, item_id, taken=1)
    row = {"item_id": item_id, "annotator_id": annotator_id, "batch_id": batch_id, "request_id": new_request()}
    request_id: str = connection.execute(_CLAIM[connection.dialect.name], {**row, **_lease(now)}).scalar_one()
    return request_id


def renew(connection: Connection, item_id: int, annotator_id: int, now: float) -> None:
    """Let the lease of an item that is shown again begin anew."""
    _change(connection, item_id, annotator_id, _lease(now))


def finish(connection: Connection, item_id: int, annotator_id: int, verdict_id: int) -> None:
    """Note that an annotator has answered."""
    _change(connection, item_id, annotator_id, {"state": "done", "verdict_id": verdict_id})


def reopen(connection: Connection, item_id: int, annotator_id: int, now: float) -> None:
    """Put an answered item back on its annotator's screen, as a new request."""
    _change(connection, item_id, annotator_id, {"request_id": new_request(), "verdict_id": None, **_lease(now)})


def has_lapsing(connection: Connection, batch_id: str, now: float) -> bool:
    """Whether a lease of a batch has run out."""
    return connection.execute(_LAPSING, {"batch": batch_id, "now": now}).first() is not None


def lapse(connection: Connection, batch_id: str, now: float) -> None:
    """Let the items whose leases have run out come back."""
    _lapse(connection, connection.execute(_LAPSING.with_for_update(skip_locked=True), {"batch": batch_id, "now": now}))


def give_back(connection: Connection, annotator_id: int) -> None:
    """Let the items on an annotator's screen come back."""
    own = _LEASES.where(assignments.c.annotator_id == annotator_id)
    _lapse(connection, connection.execute(own.with_for_update()))


def new_request() -> str:
    """An id that nobody can guess."""
    return secrets.token_urlsafe(16)


def _lapse(connection: Connection, leases: Iterable[Row[tuple[int, int]]]) -> None:
    # Whoever changes several items takes them in the order of their ids: two who do so cannot wait for each other.
    for item_id, annotator_id in sorted((row.item_id, row.annotator_id) for row in leases):
        _change(connection, item_id, annotator_id, {"state": "lapsed"})
        move(connection, item_id, taken=-1)


def _lease(now: float) -> dict[str, object]:
    return {"state": "open", "claimed": now, "expires": now + LEASE_SECONDS}


def _change(connection: Connection, item_id: int, annotator_id: int, values: dict[str, object]) -> None:
    connection.execute(_ASSIGNMENT, {"item": item_id, "annotator": annotator_id, **values})


# Made once: making a statement takes longer than what SQLite does for it.

_ASSIGNMENT = update(assignments).where(
    assignments.c.item_id == bindparam("item"), assignments.c.annotator_id == bindparam("annotator")
)
_LEASES = select(assignments.c.item_id, assignments.c.annotator_id).where(assignments.c.state == "open")
_LAPSING = _LEASES.where(assignments.c.batch_id == bindparam("batch"), assignments.c.expires < bindparam("now"))
_OWN_OPEN = (
    select(assignments.c.item_id, assignments.c.request_id, assignments.c.expires)
    .where(
        assignments.c.annotator_id == bindparam("annotator"),
        assignments.c.batch_id == bindparam("batch"),
        assignments.c.state == "open",
        exists().where(batches.c.id == assignments.c.batch_id, batches.c.state == "open"),
    )
    .order_by(assignments.c.claimed.desc(), assignments.c.item_id.desc())
    .limit(1)
)


def _claiming(added: sqlite.Insert | postgresql.Insert) -> ReturningInsert[tuple[str]]:
    # One that lapsed keeps its request, because its form may still be on a screen.
    renewed = {name: added.excluded[name] for name in ("state", "claimed", "expires")}
    kept = added.on_conflict_do_update(index_elements=["item_id", "annotator_id"], set_=renewed)
    return kept.returning(assignments.c.request_id)


_CLAIM = {
    "sqlite": _claiming(sqlite.insert(assignments)),
    "postgresql": _claiming(postgresql.insert(assignments)),
}
