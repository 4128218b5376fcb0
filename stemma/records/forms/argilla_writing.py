"""Writing Argilla's flat export."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stemma.records.example import Example, Opinion
from stemma.records.forms.argilla_questions import ranking_value
from stemma.records.forms.naming import prompt_value

FORM = "argilla"
QUESTION = "preference"
"""The ranking question of rows that did not come from Argilla."""


def write_record(example: Example) -> Iterator[dict[str, Any]]:
    """Write a record; of the judges' opinions on one question, only the first has a place."""
    if len(example.answers) < 2:
        return
    origin: Mapping[str, Any] = (example.origin or {}) if example.form == FORM else {}
    names = _names(example)
    questions: dict[str, dict[str, Any]] = {}
    for opinion in example.opinions:
        if opinion.void != "both_bad":
            for question, told in _told(opinion, example, names, origin.get("ratings", {})):
                _add(questions.setdefault(question, {}), told)
    for draft in origin.get("drafts", []):
        for question, told in _by_question(draft, origin.get("ratings", {})):
            _add(questions.setdefault(question, {}), told)
    yield {
        **origin.get("record", {}),
        origin.get("prompt", "prompt"): prompt_value(example.prompt or ()),
        **dict(zip(names, (answer.text for answer in example.answers), strict=True)),
        **{f"{question}.{part}": value for question, parts in questions.items() for part, value in parts.items()},
        **origin.get("others", {}),
    }


def _names(example: Example) -> list[str]:
    if example.form == FORM:
        return [str((answer.origin or {})["field"]) for answer in example.answers]
    return [f"response{number}" for number in range(1, len(example.answers) + 1)]


def _told(
    opinion: Opinion, example: Example, names: Sequence[str], questions: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The questions that an opinion answers, and what it says to each."""
    origin = (opinion.origin or {}) if example.form == FORM else {}
    who = {"user": opinion.annotator, "agent": opinion.judge}
    status = "discarded" if opinion.void else "submitted"
    value = origin.get("value") if opinion.void else ranking_value(opinion.ranking, names)
    told = {"question": QUESTION, **origin, **who, "value": value, "status": status}
    yield from _by_question(told, questions)


def _by_question(told: Mapping[str, Any], questions: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is said to one ranking question, or to each rating question by its answer."""
    if "ratings" not in told:
        yield told["question"], dict(told)
        return
    scores = told.get("score") or {}
    for name, value in told["ratings"].items():
        yield questions[name], {**told, "value": value, "score": scores.get(name)}


def _add(parts: dict[str, Any], told: Mapping[str, Any]) -> None:
    if told.get("agent") is not None:
        if "suggestion" not in parts:
            score = {} if told.get("score") is None else {"suggestion.score": told["score"]}
            parts |= {"suggestion": told["value"], "suggestion.agent": told["agent"], **score}
        return
    for part, value in (("", told["value"]), (".users", told["user"]), (".status", told["status"])):
        parts.setdefault(f"responses{part}", []).append(value)
