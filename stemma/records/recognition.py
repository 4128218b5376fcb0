"""Which form a row is in: its set of fields says so, and nothing is guessed."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from stemma.errors import DataError
from stemma.records.example import Example
from stemma.records.fault import RowFault
from stemma.records.fields import check_shareable, kept
from stemma.records.forms import (
    alpaca,
    alpaca_farm,
    argilla,
    demonstrations,
    label_studio,
    messages_pairs,
    pairs,
    ranked_responses,
    sharegpt,
    shp,
    summaries,
    texts,
    transcripts,
    ultrafeedback,
)
from stemma.records.forms.form import Fields, Form

_MODULES = (
    texts, demonstrations, pairs, transcripts, messages_pairs, alpaca, sharegpt, summaries, alpaca_farm,
    ranked_responses, shp, ultrafeedback, label_studio, argilla,
)  # fmt: skip
FORMS: Mapping[str, Form] = {form.name: form for module in _MODULES for form in module.FORMS}
OTHERS = "other_fields"
"""Where the origin of a row keeps the fields that a form named by the user does not have."""
ON_ONE_ANSWER = frozenset({
    "accepted", "bad", "correct", "feedback", "good", "grade", "harmful", "is_correct", "is_good", "is_safe", "label",
    "labels", "liked", "outcome", "preference", "preferred", "quality", "rank", "ranking", "rating", "ratings",
    "reward", "rewards", "safe", "score", "scores", "stars", "toxic", "toxicity", "upvotes", "verdict", "vote", "votes",
})  # fmt: skip
"""Fields that say how good an answer is, or may: a row that has one is no answer to imitate without it."""
ON_TWO_ANSWERS = frozenset({
    "better", "choice", "flipped", "label", "labels", "outcome", "preference", "preferred", "selected", "swapped",
    "verdict", "winner",
})  # fmt: skip
"""Fields that say which of two answers is better, or may: a row that has one is no preference without it."""
REMEDY = "make pairs of chosen and rejected answers, or give only the answers that are worth imitating"


def form_named(name: str) -> Form:
    """The form of that name. Raises DataError where there is none."""
    if name not in FORMS:
        raise DataError(f"there is no format {name!r}; there are: {', '.join(FORMS)}")
    return FORMS[name]


def read_example(row: Any, ignored: Collection[str] = ()) -> Example:
    """Read a row in whichever known form its fields are; a field that is null counts as absent.

    `ignored` names fields that say nothing of the form, such as an id. One that may judge an answer is never ignored.
    Raises RowFault where the fields are of no known form, or the row is not well formed.
    """
    filled = _filled(row, ignored)
    form = _form_of(frozenset(filled))
    if form is None:
        raise _unknown(filled)
    example = form.read(filled)
    check_meaning(example, {name for name in ignored if row.get(name) is not None})
    return example


def _unknown(filled: Mapping[str, Any]) -> RowFault:
    found = "+".join(sorted(name[:40] for name in filled)) or "nothing"
    judging = sorted((ON_ONE_ANSWER | ON_TWO_ANSWERS) & {name.lower() for name in filled})
    advice = (
        f"{', '.join(judging)} may say how good an answer is, so the row has no meaning without it; {REMEDY}"
        if judging
        else "fields that say nothing of the answers, such as an id, can be left out with data.ignored_fields, and "
        "`stemma label import` takes --format"
    )
    return RowFault("(fields)", f"are of no known form: {found[:400]}; {advice}; known forms are {', '.join(FORMS)}")


def check_meaning(example: Example, left_out: Collection[str]) -> None:
    """Raise RowFault where a field that is left out may say that the row means something else."""
    judging = ON_ONE_ANSWER if example.target is not None else ON_TWO_ANSWERS if example.opinions else frozenset()
    for name in sorted(left_out):
        if name.lower() in judging:
            raise RowFault(name, f"may say how good an answer is, so the row is not taken without it: {REMEDY}")


def read_as(form: Form, row: Any, ignored: Collection[str] = ()) -> Example:
    """Read a row in a form that the user named; fields that the form does not have are kept with the row.

    Raises RowFault where the form's fields are missing, or the row is not well formed.
    """
    filled = _filled(row, ignored)
    missing = sorted(form.required - filled.keys())
    if missing:
        raise RowFault("(fields)", f"lack what the form {form.name} has: {', '.join(missing)}")
    known = form.required | form.optional
    example = form.read(filled if form.takes_others else {name: filled[name] for name in filled if name in known})
    others = None if form.takes_others else kept(filled, *known)
    check_meaning(example, {*(others or ()), *(name for name in ignored if row.get(name) is not None)})
    return example.model_copy(update={"origin": {**(example.origin or {}), OTHERS: others}}) if others else example


def _filled(row: Any, ignored: Collection[str]) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise RowFault("(row)", "is not an object with fields")
    filled = {name: value for name, value in row.items() if value is not None and name not in ignored}
    check_shareable(filled)
    return filled


@lru_cache(maxsize=1024)
def _form_of(fields: Fields) -> Form | None:
    return next((form for form in FORMS.values() if not form.by_name_only and form.fits(fields)), None)
