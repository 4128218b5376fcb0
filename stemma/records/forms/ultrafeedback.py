"""UltraFeedback's scores (Cui et al. 2023): answers of several models, each rated on several aspects.

`{"instruction", "models": […], "completions": [{"model", "response", "annotations": {aspect: {"Rating": "4"}}}, …]}`.
The answers are ranked by the mean of their ratings; equal means are a tie.
"""

import math
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from stemma.records.conversation import message_list, only_question, prompt_of, text_of
from stemma.records.example import Answer, Example, Opinion, ranked
from stemma.records.fault import RowFault
from stemma.records.fields import kept, list_of, object_of, part_of
from stemma.records.forms.form import Form, Row


def read_scores(row: Row) -> Example:
    """Read an instruction and its rated answers. Raises RowFault where a part is misshapen or nothing is rated."""
    completions = list_of(row["completions"], "completions")
    if len(completions) < 2:
        raise RowFault("completions", f"must be two or more: there are {len(completions)}")
    parts = [(object_of(value, _place(index)), _place(index)) for index, value in enumerate(completions)]
    means = {index: _mean(*part) for index, part in enumerate(parts)}
    return Example(
        form="ultrafeedback",
        prompt=prompt_of(row["instruction"], "instruction"),
        answers=tuple(_answer(*part) for part in parts),
        opinions=(Opinion(ranking=ranked(means)),),
        origin=kept(row, "instruction", "completions"),
    )


def write_scores(example: Example) -> Iterator[dict[str, Any]]:
    """Write answers that have ratings; others have no place in the form."""
    origins = [answer.origin or {} for answer in example.answers]
    if len(origins) < 2 or not all(isinstance(origin.get("annotations"), dict) for origin in origins):
        return
    prompt = example.prompt or ()
    question = only_question(prompt)
    yield {
        **{key: value for key, value in (example.origin or {}).items() if key in _MORE},
        "instruction": message_list(prompt) if question is None else question,
        "completions": [{**(answer.origin or {}), "response": answer.text} for answer in example.answers],
    }


def _place(index: int) -> str:
    return f"completions[{index}]"


def _answer(completion: Mapping[str, Any], field: str) -> Answer:
    text = text_of(part_of(completion, "response", field), f"{field}.response")
    return Answer(text=text.strip(), origin=kept(completion, "response"))


def _mean(completion: Mapping[str, Any], field: str) -> float:
    place = f"{field}.annotations"
    aspects = object_of(part_of(completion, "annotations", field), place)
    ratings = [
        rating
        for aspect, told in aspects.items()
        if (rating := _rating(object_of(told, f"{place}.{aspect}").get("Rating"), f"{place}.{aspect}.Rating"))
        is not None
    ]
    if not ratings:
        raise RowFault(place, "hold no rating")
    return fmean(ratings)


def _rating(value: Any, field: str) -> float | None:
    """A rating, written as a number or as its text; None where the judge gave none ("N/A")."""
    if value is None or (isinstance(value, str) and value.strip() in {"", "N/A"}):
        return None
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            rating = float(value)
        except ValueError:
            rating = math.nan
        if math.isfinite(rating):
            return rating
    raise RowFault(field, f"must be a number or N/A: it is {str(value)[:40]!r}")


_MORE = frozenset({"source", "models", "correct_answers", "incorrect_answers"})
FORMS = (Form("ultrafeedback", frozenset({"instruction", "completions"}), read_scores, write_scores, _MORE),)
