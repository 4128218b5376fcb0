"""What admins look at and decide: how annotators work, where they disagree, and which verdict is final."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from statistics import median

from sqlalchemy import ColumnElement, exists, insert, select

from stemma.errors import LabelError
from stemma.labelling.store.database import Database
from stemma.labelling.store.opinions import Opinion, opinions
from stemma.labelling.store.people import Person
from stemma.labelling.store.recording import verdict_row
from stemma.labelling.store.shown import Answer, Shown, show
from stemma.labelling.store.tables import batches, items, verdicts


@dataclass(frozen=True)
class Work:
    """One annotator's work on a batch."""

    annotator: str
    given: int
    """Opinions and skips that stand."""
    skipped: int
    pace: float | None
    """Median of the seconds that a verdict took."""
    agreed: int
    compared: int
    """How often another annotator said something of the same item; `agreed` of them said the same."""
    gold_right: int
    gold_asked: int


@dataclass(frozen=True)
class Disagreement:
    """An item of which annotators said different things."""

    item: int
    said: tuple[Opinion, ...]


@dataclass(frozen=True)
class Report:
    """A batch as an admin sees it."""

    work: tuple[Work, ...]
    open_disagreements: tuple[Disagreement, ...]
    adjudicated: int


class Review:
    """What admins do with a batch's verdicts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def report(self, batch_id: str) -> Report:
        """How each annotator works, and what is left to adjudicate."""
        with self._database.reading() as connection:
            found = opinions(connection, batch_id)
        given = [opinion for opinion in found if not opinion.adjudication]
        settled = {opinion.item for opinion in found if opinion.adjudication}
        return Report(
            work=tuple(_work(given)),
            open_disagreements=tuple(case for case in _disagreements(given) if case.item not in settled),
            adjudicated=len(settled),
        )

    def shown(self, person: Person, batch_id: str, item: int, request_id: str) -> Shown:
        """An item as it is put before an admin.

        Raises LabelError where the batch has no item of that number.
        """
        with self._database.reading() as connection:
            item_id = connection.scalar(select(items.c.id).where(*_is(batch_id, item)))
            if item_id is None:
                raise LabelError(f"batch {batch_id} has no item {item}")
            return show(connection, item_id, person.name, request_id)

    def said(self, batch_id: str, item: int) -> list[Opinion]:
        """What stands of an item, adjudications last."""
        with self._database.reading() as connection:
            return [opinion for opinion in opinions(connection, batch_id) if opinion.item == item]

    def adjudicate(self, person: Person, batch_id: str, item: int, answer: Answer) -> None:
        """Record an admin's final verdict on an item; the same request a second time changes nothing.

        Raises LabelError where there is no such item, the batch was withdrawn, or the verdict is none.
        """
        now = self._database.clock()
        shown = self.shown(person, batch_id, item, answer.request_id)
        with self._database.writing() as connection:
            if connection.scalar(select(batches.c.state).where(batches.c.id == batch_id)) == "withdrawn":
                raise LabelError(f"batch {batch_id} was withdrawn; nothing comes of its verdicts")
            if connection.scalar(select(exists().where(verdicts.c.request_id == answer.request_id))):
                return
            item_id = connection.execute(select(items.c.id).where(*_is(batch_id, item))).scalar_one()
            row = verdict_row(shown, item_id, person, answer, now)
            connection.execute(insert(verdicts).values(**row, adjudication=True))


def _is(batch_id: str, item: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return items.c.batch_id == batch_id, items.c.position == item


def _disagreements(given: Sequence[Opinion]) -> Iterator[Disagreement]:
    for item, said in groupby(given, key=lambda opinion: opinion.item):
        told = tuple(opinion for opinion in said if opinion.choice != "skip" and opinion.gold is None)
        if len({opinion.meaning for opinion in told}) > 1:
            yield Disagreement(item, told)


def _work(given: Sequence[Opinion]) -> Iterator[Work]:
    agreed, compared = _agreement(given)
    for name in sorted({opinion.annotator for opinion in given}):
        own = [opinion for opinion in given if opinion.annotator == name]
        seconds = [opinion.seconds for opinion in own if opinion.seconds is not None]
        gold = [opinion for opinion in own if opinion.gold is not None and opinion.choice != "skip"]
        yield Work(
            annotator=name,
            given=len(own),
            skipped=sum(opinion.choice == "skip" for opinion in own),
            pace=median(seconds) if seconds else None,
            agreed=agreed[name],
            compared=compared[name],
            gold_right=sum(opinion.best == (opinion.gold,) for opinion in gold),
            gold_asked=len(gold),
        )


def _agreement(given: Sequence[Opinion]) -> tuple[Counter[str], Counter[str]]:
    agreed: Counter[str] = Counter()
    compared: Counter[str] = Counter()
    for _, said in groupby(given, key=lambda opinion: opinion.item):
        for one, other in combinations([opinion for opinion in said if opinion.choice != "skip"], 2):
            for name in (one.annotator, other.annotator):
                compared[name] += 1
                agreed[name] += one.meaning == other.meaning
    return agreed, compared
