"""A verdict becomes a row; taking it back is another one."""

from sqlalchemy import Connection, bindparam, exists, insert, select

from stemma.errors import LabelError
from stemma.labelling.store.leases import finish, reopen
from stemma.labelling.store.people import Person
from stemma.labelling.store.queue import move
from stemma.labelling.store.seats import count_given
from stemma.labelling.store.shown import Answer, Shown, show
from stemma.labelling.store.tables import assignments, verdicts


def is_known(connection: Connection, request_id: str, person: Person) -> bool:
    """Whether a request of that id has been recorded for the person before."""
    return bool(connection.scalar(_KNOWN, {"request": request_id, "annotator": person.id}))


def record(connection: Connection, batch_id: str, person: Person, answer: Answer, now: float) -> bool:
    """Add the verdict; returns whether the item has all its opinions now.

    Raises LabelError where the request is not one of the annotator's, or the verdict does not fit its form.
    """
    own = {"request": answer.request_id, "annotator": person.id, "batch": batch_id}
    lease = connection.execute(_LEASE, own).first()
    if lease is None:
        raise LabelError("this form is not one of yours, or of another batch; load the page again")
    shown = show(connection, lease.item_id, person.name, answer.request_id)
    row = verdict_row(shown, lease.item_id, person, answer, now)
    row |= {"adjudication": False, "seconds": round(max(0.0, now - lease.claimed), 3)}
    finish(connection, lease.item_id, person.id, connection.execute(_ADD, row).scalar_one())
    count_given(connection, batch_id, person, 1)
    opinion = int(answer.choice != "skip")
    # One whose lease had lapsed held no place any more.
    return move(connection, lease.item_id, taken=opinion - (lease.state == "open"), opinions=opinion)


def verdict_row(shown: Shown, item_id: int, person: Person, answer: Answer, now: float) -> dict[str, object]:
    """What is stored of an answer to a shown item.

    Raises LabelError where the verdict does not fit the item's form.
    """
    answer.check(shown.form, len(shown.answers))
    ranking = answer.ranking and [sorted(shown.order[place] for place in group) for group in answer.ranking]
    return {
        "request_id": answer.request_id,
        "batch_id": shown.batch_id,
        "item_id": item_id,
        "annotator_id": person.id,
        "choice": answer.choice or "rank",
        "ranking": ranking,
        "shown_order": list(shown.order),
        "strength": answer.strength if answer.choice in {"first", "second"} else None,
        "note": answer.note or None,
        "time": now,
    }


def take_back(connection: Connection, batch_id: str, person: Person, request_id: str, now: float) -> None:
    """Add a row that takes a verdict back, and put its item on the annotator's screen again.

    Raises LabelError where the annotator gave no verdict of that request, or took it back before.
    """
    last = connection.execute(
        select(verdicts.c.item_id, verdicts.c.choice, verdicts.c.shown_order)
        .join(assignments, assignments.c.verdict_id == verdicts.c.id)
        .where(assignments.c.request_id == request_id, assignments.c.annotator_id == person.id)
        .where(assignments.c.batch_id == batch_id)
        .with_for_update(of=assignments)
    ).first()
    if last is None:
        raise LabelError("there is no verdict of yours to take back here; load the page again")
    row = {
        "request_id": undoing(request_id),
        "batch_id": batch_id,
        "item_id": last.item_id,
        "annotator_id": person.id,
        "adjudication": False,
        "choice": "undo",
        "shown_order": last.shown_order,
        "time": now,
    }
    connection.execute(insert(verdicts).values(row))
    reopen(connection, last.item_id, person.id, now)
    count_given(connection, batch_id, person, -1)
    if last.choice == "skip":
        move(connection, last.item_id, taken=1)
    else:
        move(connection, last.item_id, taken=0, opinions=-1)


def undoing(request_id: str) -> str:
    """The id of the request that takes the verdict of a request back."""
    return f"undo:{request_id}"


# Made once: making a statement takes longer than what SQLite does for it.

_KNOWN = select(
    exists().where(verdicts.c.request_id == bindparam("request"), verdicts.c.annotator_id == bindparam("annotator"))
)
_LEASE = (
    select(assignments.c.item_id, assignments.c.state, assignments.c.claimed)
    .where(assignments.c.request_id == bindparam("request"), assignments.c.annotator_id == bindparam("annotator"))
    .where(assignments.c.batch_id == bindparam("batch"))
    .with_for_update()
)
_ADD = insert(verdicts).returning(verdicts.c.id)
