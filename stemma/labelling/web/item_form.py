"""What the form under an item says."""

from collections import defaultdict
from typing import get_args

from stemma.errors import LabelError
from stemma.labelling.store.batch import MOST_ANSWERS
from stemma.labelling.store.shown import Answer, PairChoice, Ranking
from stemma.labelling.web.visit import Form

CHOICES: tuple[PairChoice, ...] = get_args(PairChoice)


def sent_answer(form: Form) -> Answer:
    """The verdict in a sent form.

    Raises LabelError where a field is none of its possible values.
    """
    sent, strength = form.get("choice"), form.get("strength")
    choice = next((choice for choice in CHOICES if choice == sent), None)
    if choice is None and sent != "rank":
        raise LabelError("no verdict was chosen")
    if strength not in {"", "1", "2", "3"}:
        raise LabelError("strength is 1, 2 or 3")
    return Answer(
        request_id=form.get("request"),
        choice=choice,
        ranking=None if choice else _ranking(form),
        strength=int(strength) if strength else None,
        note=form.get("note") or None,
    )


def _ranking(form: Form) -> Ranking:
    groups: dict[int, list[int]] = defaultdict(list)
    for answer in range(MOST_ANSWERS):
        place = form.get(f"place-{answer}")
        if place.isascii() and place.isdigit():
            groups[int(place[:2])].append(answer)
    return tuple(tuple(groups[place]) for place in sorted(groups))
