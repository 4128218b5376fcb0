"""What one annotation or prediction of Label Studio says: a pairwise region, a ranker's lists, or a skip."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stemma.records.example import Answer, Example, Opinion
from stemma.records.fault import RowFault
from stemma.records.fields import json_type, kept, list_of, name_of, object_of, part_of

FORM = "label-studio"
KINDS = ("pairwise", "ranker")
SIDES = {"left": 0, "right": 1}
UNNAMED_MODEL = "undefined"
"""What Label Studio itself calls a model without a version."""
_OWN = ("region", "bucket", "buckets", "others", "result")
"""Keys of an opinion's origin that are no fields of the annotation itself."""


class Names(NamedTuple):
    """What a task calls its answers: fields of data, or ids in a list of items."""

    names: tuple[str, ...]
    listed: bool


def opinions(told: Mapping[str, Any], place: str, kind: str, names: Names, sides: Mapping[str, int]) -> list[Opinion]:
    """What an annotation or prediction says of the answers; nothing where it has no region that compares them.

    `sides` gives the answers that configured values of `selected` stand for. Raises RowFault where it is misshapen.
    """
    who = _labeller(told, place, kind)
    origin = kept(told, "was_cancelled", "result", _name_field(told, kind))
    regions = [object_of(item, f"{place}.result") for item in list_of(told.get("result") or [], f"{place}.result")]
    if told.get("was_cancelled"):
        everything = (tuple(range(len(names.names))),)
        return [
            Opinion(ranking=everything, void="skip", origin=kept({**(origin or {}), "result": regions or None}), **who)
        ]
    comparing = [region for region in regions if region.get("type") in KINDS]
    if len(comparing) > 1:
        raise RowFault(
            f"{place}.result", f"holds {len(comparing)} comparisons; which one is the preference is not told"
        )
    others = [region for region in regions if region not in comparing]
    return [
        Opinion(ranking=ranking, origin=kept({**(origin or {}), **more, "others": others or None}), **who)
        for region in comparing
        for ranking, more in _read_region(region, f"{place}.result", names, sides)
    ]


def write_opinions(example: Example, kind: str, names: Names) -> Iterator[dict[str, Any]]:
    """Write the opinions of people, or of judges, as annotations or predictions, leaving out what has no region."""
    mine = [opinion for opinion in example.opinions if (opinion.judge is not None) == (kind == "predictions")]
    for before, opinion in zip([None, *mine], mine, strict=False):
        origin: Mapping[str, Any] = opinion.origin if example.form == FORM and opinion.origin else {}
        if before is not None and _is_of_one_annotation(before, opinion, origin):
            continue
        result = _result(opinion, origin, names)
        if result is not None:
            fields = {key: value for key, value in origin.items() if key not in _OWN}
            cancelled = {"was_cancelled": opinion.void == "skip"} if kind == "annotations" else {}
            yield {**_labeller_fields(opinion), **fields, **cancelled, "result": result}


def _labeller(told: Mapping[str, Any], place: str, kind: str) -> dict[str, str | None]:
    if kind == "predictions":
        return {"judge": name_of(told.get("model_version"), f"{place}.model_version") or UNNAMED_MODEL}
    person = told.get("completed_by")
    if isinstance(person, dict):
        person = next((person[key] for key in ("email", "username", "id") if person.get(key)), None)
    return {"annotator": name_of(person, f"{place}.completed_by")}


def _name_field(told: Mapping[str, Any], kind: str) -> str:
    """The field that the labeller's name says again in full; a person who is no number is kept as he stands."""
    if kind == "predictions":
        return "model_version"
    person = told.get("completed_by")
    return "completed_by" if isinstance(person, int) and not isinstance(person, bool) and person >= 0 else ""


def _labeller_fields(opinion: Opinion) -> dict[str, Any]:
    if opinion.judge is not None:
        return {"model_version": opinion.judge}
    name = opinion.annotator
    if name is None:
        return {}
    if name.isdecimal() and str(int(name)) == name:
        return {"completed_by": int(name)}
    return {"completed_by": {"email" if "@" in name else "username": name}}


def _is_of_one_annotation(before: Opinion, opinion: Opinion, origin: Mapping[str, Any]) -> bool:
    """Whether an opinion is on a later list of the annotation that the one before it comes from."""
    if "buckets" not in origin or opinion.annotator != before.annotator or opinion.judge != before.judge:
        return False
    earlier, order = before.origin or {}, list(origin["buckets"])
    same = {**earlier, "bucket": None} == {**origin, "bucket": None}
    return same and order.index(earlier["bucket"]) < order.index(origin["bucket"])


def _read_region(
    region: Mapping[str, Any], place: str, names: Names, sides: Mapping[str, int]
) -> Iterator[tuple[tuple[tuple[int, ...], ...], dict[str, Any]]]:
    value = object_of(part_of(region, "value", place), f"{place}.value")
    if region["type"] == "pairwise":
        selected = part_of(value, "selected", f"{place}.value")
        chosen = _side(selected, f"{place}.value.selected", names, sides)
        about = kept({**region, "value": kept(value, "selected")}, "type")
        yield ((chosen,), (1 - chosen,)), {"region": about}
        return
    lists = object_of(part_of(value, "ranker", f"{place}.value"), f"{place}.value.ranker")
    about = kept({**region, "value": kept(value, "ranker")}, "type")
    for bucket, listed in lists.items():
        places = _places(listed, f"{place}.value.ranker.{bucket}", names)
        if len(places) > 1:
            more = {"bucket": bucket, "buckets": lists if len(lists) > 1 else None}
            yield tuple((index,) for index in places), {"region": about, **more}


def _side(selected: Any, field: str, names: Names, sides: Mapping[str, int]) -> int:
    if names.listed or len(names.names) != 2:
        raise RowFault(field, "compares a list of items, which pairwise regions do not")
    known = {**SIDES, **{name: index for index, name in enumerate(names.names)}, **sides}
    if not isinstance(selected, str):
        raise RowFault(field, f"must be a text: it is {json_type(selected)}")
    if selected not in known:
        raise RowFault(field, f"is neither left nor right; name what it stands for by --selected: {selected[:40]!r}")
    return known[selected]


def _places(listed: Any, field: str, names: Names) -> list[int]:
    ids = list_of(listed, field)
    if not all(isinstance(name, str) and name in names.names for name in ids) or len(set(ids)) < len(ids):
        raise RowFault(field, "must name items of the list, each once")
    return [names.names.index(name) for name in ids]


def _result(opinion: Opinion, origin: Mapping[str, Any], names: Names) -> list[Any] | None:
    """The regions that say what the opinion says; None where there are none that do."""
    if opinion.void:
        return list(origin.get("result", [])) if opinion.void == "skip" else None
    if any(len(group) > 1 for group in opinion.ranking):
        return None
    best = [group[0] for group in opinion.ranking]
    value = _ranker(best, origin, names) if names.listed else {"selected": ("left", "right")[best[0]]}
    about = origin.get("region") or _usual_region(names)
    kind = "ranker" if names.listed else "pairwise"
    return [{**about, "type": kind, "value": {**about.get("value", {}), **value}}, *origin.get("others", [])]


def _ranker(best: Sequence[int], origin: Mapping[str, Any], names: Names) -> dict[str, Any]:
    ids = [names.names[index] for index in best]
    return {"ranker": origin["buckets"] if "buckets" in origin else {origin.get("bucket", "rank"): ids}}


def _usual_region(names: Names) -> dict[str, Any]:
    if names.listed:
        return {"from_name": "rank", "to_name": "answers"}
    return {"from_name": "comparison", "to_name": ",".join(names.names)}


def names_of(answers: Sequence[Answer]) -> Names:
    """What to call answers: as they were called, or else answer1 and answer2 for two, and items of a list for more."""
    origins = [answer.origin or {} for answer in answers]
    if len(answers) > 2 or any("item" in origin for origin in origins):
        named = [str(origin.get("item", f"answer{number}")) for number, origin in enumerate(origins, start=1)]
        return Names(_different(named, len(answers)), listed=True)
    named = [str(origin.get("field", f"answer{number}")) for number, origin in enumerate(origins, start=1)]
    return Names(_different(named, 2), listed=False)


def _different(named: list[str], count: int) -> tuple[str, ...]:
    return tuple(named) if len(set(named)) == count else tuple(f"answer{number + 1}" for number in range(count))
