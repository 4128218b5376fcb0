"""AlpacaFarm preferences (Dubois et al. 2023): `{"instruction", "input", "output_1", "output_2", "preference": 1|2}`.

Its evaluator also writes fractions: 1.3 says that the second output is the better one with probability 0.3. 1.5, and 0
in older files, is a tie.
"""

from collections.abc import Iterator
from typing import Any

from stemma.records.conversation import text_of
from stemma.records.example import Answer, Example, Opinion, Pair, ranked
from stemma.records.fault import RowFault
from stemma.records.fields import kept, name_of, number_of
from stemma.records.forms.alpaca import instruction_fields, instruction_of
from stemma.records.forms.form import Form, Row

DIGITS = 9
"""Of a fraction; so many survive the sums."""


def read_preference(row: Row) -> Example:
    """Read an instruction, two outputs and which is preferred. Raises RowFault where a part is misshapen."""
    if row.get("system") or row.get("history"):
        raise RowFault("(fields)", "of an AlpacaFarm row hold neither system nor history")
    prompt, origin = instruction_of(row)
    first = _chance_of_first(row["preference"])
    opinion = Opinion(
        ranking=ranked({0: first, 1: 1 - first}),
        annotator=name_of(row.get("annotator"), "annotator"),
        probability=None if first in {0, 0.5, 1} else first,
        origin=kept({key: row[key] for key in _OF_OPINION if key in row}),
    )
    return Example(
        form="alpaca-farm",
        prompt=prompt,
        answers=tuple(_output(row, number) for number in (1, 2)),
        opinions=(opinion,),
        origin=kept({**(origin or {}), **{key: row[key] for key in _OF_ROW if key in row}}),
    )


def write_preference(example: Example) -> Iterator[dict[str, Any]]:
    """Write a row for each verdict on two answers to a prompt of one question; a tie is 1.5."""
    if len(example.prompt or ()) != 1:
        return
    origin = example.origin or {}
    for pair in example.pairs():
        if pair.choice in _PREFERENCES:
            yield {
                **instruction_fields(example.prompt or (), origin),
                "output_1": pair.first.text,
                "output_2": pair.second.text,
                **_told(pair),
                **{key: origin[key] for key in _OF_ROW if key in origin},
            }


def _told(pair: Pair) -> dict[str, Any]:
    opinion = pair.opinion
    fraction = pair.probability is not None and (pair.probability > 0.5) == (pair.choice == "first")
    outputs = {f"output_{number}": answer.origin or {} for number, answer in ((1, pair.first), (2, pair.second))}
    return {
        "preference": round(2 - (pair.probability or 0), DIGITS) if fraction else _PREFERENCES[pair.choice],
        **({} if opinion.annotator is None else {"annotator": opinion.annotator}),
        **{key: value for key, value in (opinion.origin or {}).items() if key in _OF_OPINION},
        **{f"{name}_{key}": value for name, origin in outputs.items() for key, value in origin.items() if key == _BY},
    }


def _chance_of_first(value: Any) -> float:
    preference = number_of(value, "preference")
    if preference == 0:
        return 0.5
    if not 1 <= preference <= 2:
        raise RowFault("preference", f"must be 1 or 2, or between the two, or 0 for a tie: it is {preference}")
    return round(2 - preference, DIGITS)


def _output(row: Row, number: int) -> Answer:
    field = f"output_{number}"
    by = row.get(f"{field}_{_BY}")
    return Answer(text=text_of(row[field], field).strip(), origin=None if by is None else {_BY: by})


_BY = "generator"
_PREFERENCES = {"first": 1, "second": 2, "tie": 1.5}
_OF_OPINION = ("annotator_index", "raw_completion", "time_per_example", "price_per_example")
_OF_ROW = ("dataset", "datasplit")
FORMS = (
    Form(
        "alpaca-farm",
        frozenset({"instruction", "output_1", "output_2", "preference"}),
        read_preference,
        write_preference,
        frozenset({"input", "annotator", f"output_1_{_BY}", f"output_2_{_BY}", *_OF_OPINION, *_OF_ROW}),
    ),
)
