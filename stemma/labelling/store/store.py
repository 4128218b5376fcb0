"""The label store: batches in, verdicts out; people, their desks and the review of their work are its parts."""

import time

from sqlalchemy import select, update

from stemma.errors import LabelError
from stemma.labelling.store.batch import Batch, NewBatch, Progress
from stemma.labelling.store.batches import (
    ENDINGS,
    add_batch,
    close_if_complete,
    end_batch,
    find_batches,
    withdraw_batch,
)
from stemma.labelling.store.database import Clock, Database
from stemma.labelling.store.desk import Desk
from stemma.labelling.store.people import People
from stemma.labelling.store.queue import has_waiting, progress
from stemma.labelling.store.results import batch_prompts, batch_verdicts, count_since
from stemma.labelling.store.review import Review
from stemma.labelling.store.tables import batches
from stemma.records.types import Conversation, Verdict


def open_store(url: str, clock: Clock = time.time) -> "LabelStore":
    """Open the label store at a URL, sqlite:///FILE or postgresql+psycopg://…; it is made where there is none.

    Raises LabelError where the URL is wrong, nothing answers, or a newer Stemma made its tables.
    """
    return LabelStore(Database(url, clock))


class LabelStore:
    """An open label store; threads may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.people = People(database)
        self.desk = Desk(database)
        self.review = Review(database)

    def close_connections(self) -> None:
        """Give the database's connections up."""
        self._database.close()

    def make_batch(self, batch: NewBatch) -> None:
        """Add a batch, all of it or nothing; the same batch a second time changes nothing.

        Raises LabelError where it cannot be labelled, or there is a batch of that id with other content.
        """
        batch.check()
        with self._database.writing() as connection:
            add_batch(connection, batch, self._database.clock())

    def batch(self, batch_id: str) -> Batch | None:
        """The batch of that id."""
        with self._database.reading() as connection:
            return next(iter(find_batches(connection, batch_id)), None)

    def batches(self) -> list[Batch]:
        """All batches, in the order in which they were made."""
        with self._database.reading() as connection:
            return find_batches(connection)

    def progress(self, batch_id: str) -> Progress:
        """How far a batch is.

        Raises LabelError where there is none of that id.
        """
        with self._database.reading() as connection:
            counted = progress(connection, batch_id)
        if not counted.items:
            raise LabelError(f"there is no batch {batch_id}; `stemma label batches` lists them")
        return counted

    def close(self, batch_id: str, who: str, reason: str, *, partial: bool = False) -> None:
        """Close an open batch; without `partial`, only one that lacks nothing.

        Raises LabelError where there is none of that id, it is not open, or it is incomplete.
        """
        with self._database.writing() as connection:
            end_batch(connection, batch_id, who, reason, self._database.clock(), partial=partial)

    def withdraw(self, batch_id: str, who: str, reason: str) -> None:
        """Take an open batch back: nobody is asked any more, and nothing comes of it.

        Raises LabelError where there is none of that id, or it is not open.
        """
        with self._database.writing() as connection:
            withdraw_batch(connection, batch_id, who, reason, self._database.clock())

    def verdicts(self, batch_id: str) -> list[Verdict]:
        """The verdicts that count: the last of each annotator on each item, or the adjudication of the item.

        Gold items and withdrawn annotators are left out. The order is that of the items, and of names.
        """
        with self._database.reading() as connection:
            return batch_verdicts(connection, batch_id)

    def prompts(self, batch_id: str) -> dict[str, Conversation]:
        """The prompts of a batch's items, by their ids."""
        with self._database.reading() as connection:
            return batch_prompts(connection, batch_id)

    def given_since(self, time: float) -> int:
        """How many verdicts came after a time, in seconds since 1970, but for batches that runs asked for."""
        with self._database.reading() as connection:
            own = [batch.id for batch in find_batches(connection) if "run" not in batch.source]
            return count_since(connection, own, time)

    def unannounced(self) -> list[Batch]:
        """Batches that were closed or withdrawn, which nobody has passed on yet."""
        self._close_complete()
        waiting = select(batches.c.id).where(batches.c.state.in_(ENDINGS), ~batches.c.announced)
        with self._database.reading() as connection:
            ids = set(connection.scalars(waiting))
            return [batch for batch in find_batches(connection) if batch.id in ids] if ids else []

    def announced(self, batch_id: str) -> None:
        """Note that a batch's end has been passed on."""
        with self._database.writing() as connection:
            connection.execute(update(batches).where(batches.c.id == batch_id).values(announced=True))

    def _close_complete(self) -> None:
        # A server that died right after a batch's last verdict has not closed it.
        with self._database.reading() as connection:
            ids = list(connection.scalars(select(batches.c.id).where(batches.c.state == "open")))
            complete = [batch_id for batch_id in ids if not has_waiting(connection, batch_id)]
        for batch_id in complete:
            with self._database.writing() as connection:
                close_if_complete(connection, batch_id, self._database.clock())
