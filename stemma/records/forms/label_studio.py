"""Label Studio's JSON export: tasks with the annotations of several people, pairwise or by a ranker.

`{"data": {"prompt", "answer1", "answer2"}, "annotations": [{"completed_by", "was_cancelled", "result": […]}]}`, or
`data.items` of `{"id", "title", "body"}`. A cancelled annotation is a skip; predictions are AI judges' opinions.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from stemma.records.conversation import prompt_of, text_of
from stemma.records.example import Answer, Example, Opinion
from stemma.records.fault import RowFault
from stemma.records.fields import kept, list_of, object_of, part_of
from stemma.records.forms.form import Form, Row
from stemma.records.forms.label_studio_results import FORM, Names, names_of, opinions, write_opinions
from stemma.records.forms.naming import answer_fields, prompt_field, prompt_value

_KINDS = ("annotations", "predictions")


def read_task(row: Row, sides: Mapping[str, int] | None = None) -> Example:
    """Read a task; one that nobody answered has no opinions.

    `sides` gives the answers, 0 or 1, that configured values of a pairwise region's `selected` stand for.
    Raises RowFault where a part is misshapen.
    """
    data = object_of(row["data"], "data")
    prompt = prompt_field(data, "data")
    answers, names = _items(data) if "items" in data else _named(data)
    found, unanswered = _opinions(row, names, sides or {})
    others = kept(data, prompt, *(("items",) if names.listed else names.names))
    return Example(
        form=FORM,
        prompt=prompt_of(data[prompt], f"data.{prompt}"),
        answers=answers,
        opinions=found,
        origin=kept(
            {
                "task": kept(row, "data", *_KINDS),
                "data": others,
                "prompt": None if prompt == "prompt" else prompt,
                "unanswered": unanswered or None,
            }
        ),
    )


def write_task(example: Example) -> Iterator[dict[str, Any]]:
    """Write a task; verdicts for which Label Studio has no region, such as ties, are left out."""
    if len(example.answers) < 2:
        return
    origin: Mapping[str, Any] = (example.origin or {}) if example.form == FORM else {}
    names = names_of(example.answers)
    unanswered = origin.get("unanswered", {})
    yield {
        **origin.get("task", {}),
        "data": {
            **origin.get("data", {}),
            origin.get("prompt", "prompt"): prompt_value(example.prompt or ()),
            **_data(example.answers, names),
        },
        **{kind: [*unanswered.get(kind, []), *write_opinions(example, kind, names)] for kind in _KINDS},
    }


def _opinions(row: Row, names: Names, sides: Mapping[str, int]) -> tuple[tuple[Opinion, ...], dict[str, Any]]:
    """What the annotations and predictions say, and those that say nothing of the answers."""
    found: list[Opinion] = []
    silent: dict[str, Any] = {}
    for kind in _KINDS:
        for index, value in enumerate(list_of(row.get(kind) or [], kind)):
            place = f"{kind}[{index}]"
            told = opinions(object_of(value, place), place, kind, names, sides)
            found += told
            if not told:
                silent.setdefault(kind, []).append(value)
    return tuple(found), silent


def _named(data: Mapping[str, Any]) -> tuple[tuple[Answer, ...], Names]:
    names = answer_fields(data, "data")
    if len(names) != 2:
        raise RowFault("data", f"must hold two answers, or a list of items: it holds {', '.join(names)}")
    usual = names == ["answer1", "answer2"]
    texts = [text_of(data[name], f"data.{name}").strip() for name in names]
    answers = [
        Answer(text=text, origin=None if usual else {"field": name}) for name, text in zip(names, texts, strict=True)
    ]
    return tuple(answers), Names(tuple(names), listed=False)


def _items(data: Mapping[str, Any]) -> tuple[tuple[Answer, ...], Names]:
    listed = list_of(data["items"], "data.items")
    items = [object_of(item, f"data.items[{index}]") for index, item in enumerate(listed)]
    answers = tuple(_item(item, f"data.items[{index}]") for index, item in enumerate(items))
    names = tuple(str(item["id"]) for item in items)
    if len(set(names)) < max(2, len(names)):
        raise RowFault("data.items", "must be two or more, with different ids")
    return answers, Names(names, listed=True)


def _item(item: Mapping[str, Any], field: str) -> Answer:
    name = part_of(item, "id", field)
    if not isinstance(name, str):
        raise RowFault(f"{field}.id", "must be a text, as Label Studio's lists have it")
    text = text_of(part_of(item, "body", field), f"{field}.body").strip()
    return Answer(text=text, origin={**(kept(item, "id", "body") or {}), "item": name})


def _data(answers: tuple[Answer, ...], names: Names) -> dict[str, Any]:
    named = list(zip(names.names, answers, strict=True))
    if not names.listed:
        return {name: answer.text for name, answer in named}
    return {
        "items": [
            {**(kept(answer.origin or {}, "item", "field") or {}), "id": name, "body": answer.text}
            for name, answer in named
        ]
    }


FORMS = (
    Form(
        FORM,
        frozenset({"data"}),
        read_task,
        write_task,
        takes_others=True,
        marks=_KINDS,
        array=True,
        has_ids=True,
    ),
)
