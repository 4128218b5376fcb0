"""A verdict becomes a row; taking it back is another one."""

from sqlalchemy import Connection, exists, insert, select

from stemma.errors import LabelError
from stemma.labelling.store.leases import finish, reopen
from stemma.labelling.store.people import Person
from stemma.labelling.store.queue import move
from stemma.labelling.store.seats import count_given
from stemma.labelling.store.shown import Answer, shown_order
from stemma.labelling.store.tables import assignments, batches, items, verdicts


def is_known(connection: Connection, request_id: str, person: Person) -> bool:
    """Whether a request of that id has been recorded for the person before."""
    mine = (verdicts.c.request_id == request_id, verdicts.c.annotator_id == person.id)
    return bool(connection.scalar(select(exists().where(*mine))))


def record(connection: Connection, batch_id: str, person: Person, answer: Answer, now: float) -> bool:
    """Add the verdict; returns whether the item has all its opinions now.

    Raises LabelError where the request is not one of the annotator's, or the verdict does not fit its form.
    """
    row = connection.execute(
        select(
            assignments.c.item_id,
            assignments.c.state,
            assignments.c.claimed,
            items.c.position,
            items.c.content,
            batches.c.form,
        )
        .join(items, items.c.id == assignments.c.item_id)
        .join(batches, batches.c.id == assignments.c.batch_id)
        .where(assignments.c.request_id == answer.request_id, assignments.c.annotator_id == person.id)
        .where(assignments.c.batch_id == batch_id)
        .with_for_update(of=assignments)
    ).first()
    if row is None:
        raise LabelError("this form is not one of yours, or of another batch; load the page again")
    count = len(row.content["answers"])
    answer.check(row.form, count)
    order = shown_order(batch_id, row.position, person.name, count)
    added = insert(verdicts).values(
        request_id=answer.request_id,
        batch_id=batch_id,
        item_id=row.item_id,
        annotator_id=person.id,
        adjudication=False,
        choice=answer.choice or "rank",
        ranking=[sorted(order[place] for place in group) for group in answer.ranking] if answer.ranking else None,
        shown_order=order,
        strength=answer.strength if answer.choice in {"first", "second"} else None,
        note=answer.note or None,
        seconds=round(max(0.0, now - row.claimed), 3),
        time=now,
    )
    verdict_id = connection.execute(added.returning(verdicts.c.id)).scalar_one()
    finish(connection, row.item_id, person.id, verdict_id)
    count_given(connection, batch_id, person, 1)
    opinion = int(answer.choice != "skip")
    # One whose lease had lapsed held no place any more.
    return move(connection, row.item_id, taken=opinion - (row.state == "open"), opinions=opinion)


def take_back(connection: Connection, batch_id: str, person: Person, request_id: str, now: float) -> None:
    """Add a row that takes a verdict back, and put its item on the annotator's screen again.

    Raises LabelError where the annotator gave no verdict of that request, or took it back before.
    """
    row = connection.execute(
        select(verdicts.c.item_id, verdicts.c.choice, verdicts.c.shown_order)
        .join(assignments, assignments.c.verdict_id == verdicts.c.id)
        .where(assignments.c.request_id == request_id, assignments.c.annotator_id == person.id)
        .where(assignments.c.batch_id == batch_id)
        .with_for_update(of=assignments)
    ).first()
    if row is None:
        raise LabelError("there is no verdict of yours to take back here; load the page again")
    connection.execute(
        insert(verdicts).values(
            request_id=undoing(request_id),
            batch_id=batch_id,
            item_id=row.item_id,
            annotator_id=person.id,
            adjudication=False,
            choice="undo",
            shown_order=row.shown_order,
            time=now,
        )
    )
    reopen(connection, row.item_id, person.id, now)
    count_given(connection, batch_id, person, -1)
    if row.choice == "skip":
        move(connection, row.item_id, taken=1)
    else:
        move(connection, row.item_id, taken=0, opinions=-1)


def undoing(request_id: str) -> str:
    """The id of the request that takes the verdict of a request back."""
    return f"undo:{request_id}"
