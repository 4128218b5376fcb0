"""The verdicts of a batch, as rows for training."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import combinations, groupby
from typing import Any, Literal

from sqlalchemy import Connection, func, select

from stemma.labelling.store.opinions import Opinion, opinions
from stemma.labelling.store.tables import items, verdicts
from stemma.records.types import Conversation, Message, Origin, Verdict


def batch_verdicts(connection: Connection, batch_id: str) -> list[Verdict]:
    """The verdicts that count, by item and annotator; of an item that was adjudicated, the adjudication alone.

    Gold items and withdrawn annotators are left out. A ranking becomes the pairs that follow from it.
    """
    rows = connection.execute(select(items.c.position, items.c.content).where(items.c.batch_id == batch_id))
    contents: dict[int, dict[str, Any]] = {row.position: row.content for row in rows}
    asked = [opinion for opinion in opinions(connection, batch_id) if opinion.gold is None]
    return [
        verdict
        for item, said in groupby(asked, key=lambda opinion: opinion.item)
        for opinion in _counting(list(said))
        for verdict in _verdicts(batch_id, contents[item], opinion)
    ]


def batch_prompts(connection: Connection, batch_id: str) -> dict[str, Conversation]:
    """The prompts of a batch's items, by their ids."""
    contents = connection.scalars(select(items.c.content).where(items.c.batch_id == batch_id))
    return {
        content["prompt_id"]: tuple(Message.model_validate(turn) for turn in content["prompt"]) for content in contents
    }


def count_since(connection: Connection, batch_ids: Sequence[str], time: float) -> int:
    """How many verdicts came to these batches after a time; skips, and those on gold items, are none."""
    said = (verdicts.c.batch_id.in_(batch_ids), verdicts.c.time > time, ~verdicts.c.choice.in_(("undo", "skip")))
    asked = verdicts.join(items, items.c.id == verdicts.c.item_id)
    return connection.scalar(select(func.count()).select_from(asked).where(*said, items.c.gold.is_(None))) or 0


def _counting(said: Sequence[Opinion]) -> Sequence[Opinion]:
    adjudicated = [opinion for opinion in said if opinion.adjudication]
    return [max(adjudicated, key=lambda opinion: opinion.time)] if adjudicated else said


def _verdicts(batch_id: str, content: dict[str, Any], opinion: Opinion) -> Iterator[Verdict]:
    origin: Origin = {
        **(content["origin"] or {}),
        "batch": batch_id,
        "item": opinion.item,
        "seconds": opinion.seconds,
        "time": datetime.fromtimestamp(opinion.time, UTC).isoformat(timespec="milliseconds"),
        "shown_order": list(opinion.shown_order),
    }
    if opinion.adjudication:
        origin["adjudication"] = True
    if opinion.ranking is not None:
        origin["ranking"] = [list(group) for group in opinion.ranking]
    finished = content.get("finished") or [True] * len(content["answers"])
    for first, second, choice in _pairs(opinion):
        yield Verdict(
            prompt_id=content["prompt_id"],
            annotator=opinion.annotator,
            first=content["answers"][first],
            second=content["answers"][second],
            first_finished=finished[first],
            second_finished=finished[second],
            choice=choice,
            strength=opinion.strength,
            note=opinion.note,
            origin=origin,
        )


def _pairs(opinion: Opinion) -> Iterator[tuple[int, int, Any]]:
    order = opinion.shown_order
    if opinion.ranking is None:
        # Nothing follows from a ranking that was skipped.
        if len(order) == 2:
            yield order[0], order[1], opinion.choice
        return
    place = {answer: rank for rank, group in enumerate(opinion.ranking) for answer in group}
    for first, second in combinations(order, 2):
        yield first, second, _choice(place[first], place[second])


def _choice(first: int, second: int) -> Literal["first", "second", "tie"]:
    if first == second:
        return "tie"
    return "first" if first < second else "second"
