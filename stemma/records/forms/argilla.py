"""Argilla's flat export: a record's fields, and for each question its responses, their users and status.

`{"prompt", "response1", "response2", "Q.responses": […], "Q.responses.users": […], "Q.responses.status": ["submitted"],
"Q.suggestion": …, "Q.suggestion.agent": …}`. A ranking question lists the answers' fields, the best first; a rating
question has the name of the answer's field in its own. Discarded is a skip; a draft is kept, and is no verdict. A
suggestion with an agent is an AI judge's opinion.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stemma.records.conversation import prompt_of, text_of
from stemma.records.example import Answer, Example, Opinion, ranked
from stemma.records.fields import kept
from stemma.records.forms.argilla_questions import (
    MARKS,
    Question,
    is_question,
    is_ranking,
    places_of,
    questions_of,
    rated_answer,
)
from stemma.records.forms.argilla_writing import FORM, write_record
from stemma.records.forms.form import Form, Row
from stemma.records.forms.naming import answer_fields, prompt_field


def read_record(row: Row) -> Example:
    """Read a record; one that nobody answered has no opinions. Raises RowFault where a part is misshapen."""
    fields = {name: value for name, value in row.items() if value is not None and not is_question(name)}
    prompt = prompt_field(fields, "(row)")
    names = answer_fields(fields, "(row)")
    questions = questions_of(row)
    rankings = [question for question in questions if is_ranking(question, names)]
    ratings = {name: question for question in questions for name in _rated(question, names)}
    read = [*rankings, *ratings.values()]
    opinions, drafts = _rankings(rankings, names)
    more, rest = _ratings(ratings, names)
    return Example(
        form=FORM,
        prompt=prompt_of(row[prompt], prompt),
        answers=tuple(Answer(text=text_of(row[name], name).strip(), origin={"field": name}) for name in names),
        opinions=(*opinions, *more),
        origin=kept(
            {
                "record": kept(fields, prompt, *names),
                "prompt": prompt,
                "drafts": [*drafts, *rest] or None,
                "ratings": {name: question.name for name, question in ratings.items()} or None,
                "others": _others(questions, read) or None,
            }
        ),
    )


def _rated(question: Question, names: Sequence[str]) -> list[str]:
    index = rated_answer(question, names)
    return [] if index is None else [names[index]]


def _rankings(questions: Iterable[Question], names: Sequence[str]) -> tuple[list[Opinion], list[Any]]:
    """The opinions that ranking questions hold, and the responses that are none."""
    opinions: list[Opinion] = []
    drafts: list[Any] = []
    everything = (tuple(range(len(names))),)
    for question in questions:
        for value, user, status in question.responses:
            origin = {"question": question.name}
            if status == "discarded":
                told = kept({**origin, "value": value})
                opinions.append(Opinion(ranking=everything, void="skip", annotator=user, origin=told))
                continue
            places = () if value is None or status == "draft" else places_of(value, f"{question.name}.responses", names)
            if sum(map(len, places)) > 1:
                opinions.append(Opinion(ranking=places, annotator=user, origin=origin))
            else:
                drafts.append({**origin, "value": value, "user": user, "status": status})
        if question.agent is not None and question.suggestion is not None:
            places = places_of(question.suggestion, f"{question.name}.suggestion", names)
            told = kept({"question": question.name, "score": question.score}) or {}
            if sum(map(len, places)) > 1:
                opinions.append(Opinion(ranking=places, judge=question.agent, origin=told))
            else:
                drafts.append({**told, "value": question.suggestion, "agent": question.agent})
    return opinions, drafts


def _ratings(questions: Mapping[str, Question], names: Sequence[str]) -> tuple[list[Opinion], list[Any]]:
    """The opinions that the rating questions hold together, one a user or agent, and the responses that are none."""
    given: dict[tuple[str | None, str | None, str], dict[str, Any]] = {}
    scores: dict[str, dict[str, Any]] = {}
    for name, question in questions.items():
        for value, user, status in question.responses:
            given.setdefault((user, None, status), {})[name] = value
        if question.agent is not None and question.suggestion is not None:
            given.setdefault((None, question.agent, "submitted"), {})[name] = question.suggestion
            if question.score is not None:
                scores.setdefault(question.agent, {})[name] = question.score
    opinions: list[Opinion] = []
    drafts: list[Any] = []
    everything = (tuple(range(len(names))),)
    for (user, agent, status), told in given.items():
        ratings = {name: value for name, value in told.items() if value is not None}
        origin = kept({"ratings": told, "score": scores.get(agent or "")})
        if status == "discarded":
            opinions.append(Opinion(ranking=everything, void="skip", annotator=user, origin=origin))
        elif status == "submitted" and len(ratings) > 1:
            ranking = ranked({names.index(name): value for name, value in ratings.items()})
            opinions.append(Opinion(ranking=ranking, annotator=user, judge=agent, origin=origin))
        else:
            drafts.append({"user": user, "agent": agent, "status": status, **(origin or {})})
    return opinions, drafts


def _others(questions: Iterable[Question], read: Sequence[Question]) -> dict[str, Any]:
    """Questions that compare no answers, and suggestions of nobody named, as they stand in the record."""
    others: dict[str, Any] = {}
    for question in questions:
        nameless = (
            {f"{question.name}.suggestion", f"{question.name}.suggestion.score"} if question.agent is None else ()
        )
        others |= {field: value for field, value in question.parts.items() if question not in read or field in nameless}
    return others


FORMS = (
    Form(
        FORM,
        frozenset(),
        read_record,
        write_record,
        takes_others=True,
        marks=MARKS,
        array=True,
        has_ids=True,
    ),
)
