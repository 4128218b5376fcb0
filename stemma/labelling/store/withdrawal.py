"""What becomes of the items on which a withdrawn annotator had an opinion."""

from sqlalchemy import Connection, select

from stemma.labelling.store.queue import move
from stemma.labelling.store.tables import assignments, batches, verdicts


def take_opinions_back(connection: Connection, annotator_id: int) -> None:
    """Make room for another opinion on each item of an open batch on which this annotator's counted."""
    stood = (
        select(assignments.c.item_id)
        .join(verdicts, verdicts.c.id == assignments.c.verdict_id)
        .join(batches, batches.c.id == assignments.c.batch_id)
        .where(
            assignments.c.annotator_id == annotator_id,
            assignments.c.state == "done",
            verdicts.c.choice != "skip",
            batches.c.state == "open",
        )
        .order_by(assignments.c.item_id)
    )
    for item_id in list(connection.scalars(stood)):
        move(connection, item_id, taken=-1, opinions=-1)
