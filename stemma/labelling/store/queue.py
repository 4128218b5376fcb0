"""How an item moves through the queue of its batch."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import count

from sqlalchemy import ColumnElement, Connection, Integer, Text, bindparam, case, exists, func, literal, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from stemma.labelling.store.batch import NewItem, Progress
from stemma.labelling.store.tables import assignments, queue

WAITING = ("fresh", "back", "full")


def queue_rows(batch_id: str, overlap: int, items: Iterable[tuple[int, NewItem]]) -> list[dict[str, object]]:
    """The queue of a new batch, from its items with their row ids: highest priority first, otherwise in their order."""
    ranks = count(1)
    return [
        {
            "item_id": item_id,
            "batch_id": batch_id,
            "rank": next(ranks),
            "kind": "fresh" if item.gold is None else "gold",
            "overlap": overlap,
            "taken": 0,
            "opinions": 0,
        }
        for item_id, item in sorted(items, key=lambda pair: -pair[1].priority)
    ]


def move(connection: Connection, item_id: int, *, taken: int, opinions: int = 0) -> bool:
    """Add to an item's places taken and to its opinions; returns whether it has all its opinions now.

    Gold items stay as they are: everybody may get them.
    """
    return bool(connection.scalar(_MOVE, {"item": item_id, "places": taken, "given": opinions}) == "done")


def next_free(
    connection: Connection, batch_id: str, annotator_id: int, passed: int, *, wait: bool
) -> tuple[int, int] | None:
    """The item id and rank of the first free item that the annotator has not had, locked; None where there is none.

    Looks at what came back, and at what follows the rank `passed`; only where both have nothing, at all of the queue.
    Items that somebody else is just taking are passed by; with `wait`, they are waited for before saying None.
    """
    probe = partial(_probe, connection, batch_id, annotator_id)
    near = [place for place in (probe("back", 0), probe("fresh", passed)) if place]
    if near:
        return min(near, key=lambda place: place[1])
    return probe("fresh", 0, wait=wait) or (probe("back", 0, wait=True) if wait else None)


def next_gold(connection: Connection, batch_id: str, passed: int) -> tuple[int, int] | None:
    """The item id and rank of the gold item that follows the rank `passed`."""
    row = connection.execute(_NEXT_GOLD, {"batch": batch_id, "kind": "gold", "after": passed}).first()
    return (row.item_id, row.rank) if row else None


def has_waiting(connection: Connection, batch_id: str) -> bool:
    """Whether some item lacks opinions."""
    # One question a kind, each of which ends at the first row of the index.
    return any(connection.scalar(_ANY, {"batch": batch_id, "kind": kind}) for kind in WAITING)


def progress(connection: Connection, batch_id: str) -> Progress:
    """How far a batch is."""
    counted = case((queue.c.opinions > queue.c.overlap, queue.c.overlap), else_=queue.c.opinions)
    sums: Sequence[ColumnElement[int]] = (
        func.count(),
        func.coalesce(func.sum(queue.c.overlap, type_=Integer), 0),
        func.coalesce(func.sum(counted, type_=Integer), 0),
    )
    row = connection.execute(select(*sums).where(queue.c.batch_id == batch_id, queue.c.kind != "gold")).one()
    return Progress(items=row[0], wanted=row[1], given=row[2])


def _probe(
    connection: Connection, batch_id: str, annotator_id: int, kind: str, passed: int, *, wait: bool = False
) -> tuple[int, int] | None:
    place = {"batch": batch_id, "annotator": annotator_id, "kind": kind, "after": passed}
    row = connection.execute(_NEXT_WAITING if wait else _NEXT, place).first()
    return (row.item_id, row.rank) if row else None


# Made once: making a statement takes longer than what SQLite does for it.


def _moved() -> ReturningUpdate[tuple[str]]:
    places, given = (
        queue.c.taken + bindparam("places", type_=Integer),
        queue.c.opinions + bindparam("given", type_=Integer),
    )
    kind: ColumnElement[str] = case(
        (given >= queue.c.overlap, literal("done", Text)),
        (places >= queue.c.overlap, literal("full", Text)),
        (queue.c.kind == "fresh", literal("fresh", Text)),
        else_=literal("back", Text),
    )
    own = (queue.c.item_id == bindparam("item"), queue.c.kind != "gold")
    return update(queue).where(*own).values(taken=places, opinions=given, kind=kind).returning(queue.c.kind)


_MOVE = _moved()
_HERE = (queue.c.batch_id == bindparam("batch"), queue.c.kind == bindparam("kind"))
_ANY = select(exists().where(*_HERE))
_NEXT_GOLD = (
    select(queue.c.item_id, queue.c.rank)
    .where(*_HERE, queue.c.rank > bindparam("after"))
    .order_by(queue.c.rank)
    .limit(1)
)
_HAD = exists().where(
    assignments.c.item_id == queue.c.item_id,
    assignments.c.annotator_id == bindparam("annotator"),
    assignments.c.state.in_(("open", "done")),
)
_NEXT = _NEXT_GOLD.where(~_HAD).with_for_update(skip_locked=True, of=queue)
_NEXT_WAITING = _NEXT_GOLD.where(~_HAD).with_for_update(of=queue)
