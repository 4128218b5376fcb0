"""Stanford Human Preferences (Ethayarajh et al. 2022): two comments on a post; `labels` is 1 where A has more votes."""

from collections.abc import Iterator
from typing import Any

from stemma.records.conversation import only_question, prompt_of, text_of
from stemma.records.example import Answer, Example, Opinion
from stemma.records.fields import index_of, kept
from stemma.records.forms.form import Form, Row

_OF_ANSWER = ("score", "c_root_id", "created_at_utc")
_OF_ROW = ("post_id", "domain", "upvote_ratio", "seconds_difference", "score_ratio")


def read_shp(row: Row) -> Example:
    """Read a post, two comments and which has more votes. Raises RowFault where a part is misshapen."""
    chosen = 1 - index_of(row["labels"], "labels", 2)
    return Example(
        form="shp",
        prompt=prompt_of(text_of(row["history"], "history"), "history"),
        answers=(_comment(row, "A"), _comment(row, "B")),
        opinions=(Opinion(ranking=((chosen,), (1 - chosen,))),),
        origin=kept({key: row[key] for key in _OF_ROW if key in row}),
    )


def write_shp(example: Example) -> Iterator[dict[str, Any]]:
    """Write a row for each preference between two answers to a prompt that is one question."""
    question = only_question(example.prompt or ())
    for pair in example.pairs():
        if question is not None and pair.choice in {"first", "second"}:
            yield {
                **{key: value for key, value in (example.origin or {}).items() if key in _OF_ROW},
                "history": question,
                **_fields(pair.first, "A"),
                **_fields(pair.second, "B"),
                "labels": 1 if pair.choice == "first" else 0,
            }


def _comment(row: Row, side: str) -> Answer:
    field = f"human_ref_{side}"
    told = {key: row.get(f"{key}_{side}") for key in _OF_ANSWER}
    return Answer(text=text_of(row[field], field).strip(), origin=kept(told))


def _fields(answer: Answer, side: str) -> dict[str, Any]:
    told = {f"{key}_{side}": value for key, value in (answer.origin or {}).items() if key in _OF_ANSWER}
    return {f"human_ref_{side}": answer.text, **told}


FORMS = (
    Form(
        "shp",
        frozenset({"history", "human_ref_A", "human_ref_B", "labels"}),
        read_shp,
        write_shp,
        frozenset({*_OF_ROW, *(f"{key}_{side}" for key in _OF_ANSWER for side in "AB")}),
    ),
)
