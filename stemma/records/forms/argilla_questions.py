"""A question of an Argilla record: its responses with their users and status, and its suggestion."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from stemma.records.fault import RowFault
from stemma.records.fields import list_of, name_of, number_of

_PART = re.compile(
    r"(.+)\.(responses|responses\.users|responses\.status|suggestion|suggestion\.score|suggestion\.agent)"
)
MARKS = (".responses", ".suggestion")
_SEPARATORS = re.compile(r"[-_ ]")


class Response(NamedTuple):
    """What one user answered."""

    value: Any
    user: str | None
    status: str


@dataclass(frozen=True)
class Question:
    """A question as one record has it."""

    name: str
    responses: tuple[Response, ...]
    suggestion: Any
    score: Any
    agent: str | None
    parts: Mapping[str, Any]
    """Its fields as they stand in the record."""

    @property
    def values(self) -> list[Any]:
        """Every answer that says something, the suggestion last."""
        return [
            value for value in (*(response.value for response in self.responses), self.suggestion) if value is not None
        ]


def questions_of(row: Mapping[str, Any]) -> list[Question]:
    """The questions of a record, in order. Raises RowFault where one is misshapen."""
    parts: dict[str, dict[str, Any]] = {}
    for field, value in row.items():
        match = _PART.fullmatch(field)
        if match and value is not None:
            parts.setdefault(match[1], {})[match[2]] = value
    return [_question(name, told) for name, told in parts.items()]


def is_question(field: str) -> bool:
    """Whether a field belongs to a question."""
    return _PART.fullmatch(field) is not None


def rated_answer(question: Question, names: Sequence[str]) -> int | None:
    """The answer that a rating question rates: the one whose name its own name holds; None where it rates none."""
    if not question.values or any(
        isinstance(value, bool) or not isinstance(value, int | float) for value in question.values
    ):
        return None
    held = [name for name in names if _plain(name) in _plain(question.name)]
    return names.index(max(held, key=len)) if held else None


def is_ranking(question: Question, names: Sequence[str]) -> bool:
    """Whether the question's answers are lists of which an entry names an answer."""
    plain = {_plain(name) for name in names}
    return all(isinstance(value, list) for value in question.values) and any(
        _plain(str(_entry(item)[0])) in plain for value in question.values for item in value
    )


def places_of(value: Any, field: str, names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """The ranking that a value tells: answers' names in order, or objects with value and rank.

    Raises RowFault where an entry names no answer, or one twice.
    """
    plain = [_plain(name) for name in names]
    ranks: dict[int, float] = {}
    for place, item in enumerate(list_of(value, field)):
        name, rank = _entry(item)
        if not isinstance(name, str) or _plain(name) not in plain or plain.index(_plain(name)) in ranks:
            raise RowFault(field, f"must name the record's answers, each once: entry {place + 1} does not")
        ranks[plain.index(_plain(name))] = place if rank is None else number_of(rank, f"{field}[{place}].rank")
    levels = sorted(set(ranks.values()))
    return tuple(tuple(index for index, rank in ranks.items() if rank == level) for level in levels)


def ranking_value(ranking: Sequence[Sequence[int]], names: Sequence[str]) -> list[Any]:
    """A ranking as Argilla has it: names in order, or where answers share a place, names with ranks."""
    if all(len(group) == 1 for group in ranking):
        return [names[group[0]] for group in ranking]
    return [{"value": names[index], "rank": rank} for rank, group in enumerate(ranking, start=1) for index in group]


def _question(name: str, told: Mapping[str, Any]) -> Question:
    field = f"{name}.responses"
    values = list_of(told.get("responses", []), field)
    users = list_of(told.get("responses.users", [None] * len(values)), f"{field}.users")
    status = list_of(told.get("responses.status", ["submitted"] * len(values)), f"{field}.status")
    if not len(values) == len(users) == len(status):
        raise RowFault(field, f"must be as many as users and status: {len(values)}, {len(users)}, {len(status)}")
    responses = [
        Response(value, name_of(user, f"{field}.users"), _status(state, f"{field}.status"))
        for value, user, state in zip(values, users, status, strict=True)
    ]
    agent = name_of(told.get("suggestion.agent"), f"{name}.suggestion.agent")
    parts = {f"{name}.{part}": value for part, value in told.items()}
    return Question(name, tuple(responses), told.get("suggestion"), told.get("suggestion.score"), agent, parts)


def _status(value: Any, field: str) -> str:
    if value not in ("submitted", "draft", "discarded", None):
        raise RowFault(field, f"must be submitted, draft or discarded: it is {str(value)[:40]!r}")
    return value or "submitted"


def _entry(item: Any) -> tuple[Any, Any]:
    return (item.get("value"), item.get("rank")) if isinstance(item, dict) else (item, None)


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", name).lower()
