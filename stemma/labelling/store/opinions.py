"""The opinions of a batch that stand."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from stemma.labelling.store.tables import annotators, items, verdicts


@dataclass(frozen=True)
class Opinion:
    """An annotator's last word on an item, or an admin's as adjudication."""

    item: int
    """Its place in the batch."""
    gold: int | None
    annotator: str
    adjudication: bool
    choice: str
    ranking: list[list[int]] | None
    shown_order: list[int]
    strength: int | None
    note: str | None
    seconds: float | None
    time: float

    @property
    def best(self) -> tuple[int, ...] | None:
        """The indices of the answers that it puts first; none of them for both bad, and None for a skip."""
        if self.choice == "skip":
            return None
        if self.ranking is not None:
            return tuple(self.ranking[0])
        places = {"first": [0], "second": [1], "tie": [0, 1], "both_bad": []}[self.choice]
        return tuple(sorted(self.shown_order[place] for place in places))

    @property
    def meaning(self) -> tuple[tuple[int, ...], ...] | None:
        """What it says of the answers, whatever the order in which they were shown; None for a skip."""
        if self.ranking is not None:
            return tuple(tuple(group) for group in self.ranking)
        return None if self.best is None else (self.best,)


def opinions(connection: Connection, batch_id: str) -> list[Opinion]:
    """All that stand, withdrawn annotators' left out, by item and annotator, adjudications last."""
    last = (
        select(func.max(verdicts.c.id))
        .where(verdicts.c.batch_id == batch_id)
        .group_by(verdicts.c.item_id, verdicts.c.annotator_id, verdicts.c.adjudication)
    )
    own = ("adjudication", "choice", "ranking", "shown_order", "strength", "note", "seconds", "time")
    rows = connection.execute(
        select(
            items.c.position.label("item"),
            items.c.gold,
            annotators.c.name.label("annotator"),
            *(verdicts.c[name] for name in own),
        )
        .join(items, items.c.id == verdicts.c.item_id)
        .join(annotators, annotators.c.id == verdicts.c.annotator_id)
        .where(verdicts.c.id.in_(last), verdicts.c.choice != "undo", annotators.c.state != "withdrawn")
    )
    found = [Opinion(**row._asdict()) for row in rows]
    return sorted(found, key=lambda opinion: (opinion.item, opinion.adjudication, opinion.annotator, opinion.time))
