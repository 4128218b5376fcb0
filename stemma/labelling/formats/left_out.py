"""What a format could not hold of an example, found by reading back what was written."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from stemma.records.conversation import message_list
from stemma.records.example import Example, Pair

Statement = tuple[str, ...]
"""What an example says: of a prompt, of an answer, or of which of two answers is better."""
Details = dict[str, set[str]]
"""What else is told beside a statement: every value of each field, as JSON."""
_IMITATED = "answer to imitate"


def statements(example: Example) -> dict[Statement, Details]:
    """Everything that an example says, whatever its form."""
    found: dict[Statement, Details] = {}
    prompt = json.dumps(message_list(example.prompt or ()))
    if example.text is not None:
        found["text", example.text] = {}
    if example.prompt is not None:
        found["prompt", prompt] = _details(_flat("row", example.origin))
    for answer in example.answers:
        cut = {} if answer.finished else {"answer's finished": False}
        _add(found, ("answer", prompt, answer.text), {**cut, **_flat("answer", answer.origin)})
    if example.target is not None:
        found[_IMITATED, prompt, example.target] = {}
    for pair in example.pairs():
        _add(found, _verdict(prompt, pair), _told(pair))
    return found


def is_said(part: Example, example: Example) -> bool:
    """Whether a part says nothing that the example does not say; its best answers may be imitated."""
    prompt = json.dumps(message_list(example.prompt or ()))
    imitated = {(_IMITATED, prompt, text) for text in example.imitated()}
    answers = {("answer", prompt, text) for *_, text in imitated}
    return statements(part).keys() <= statements(example).keys() | imitated | answers


def left_out(before: Example, after: Iterable[Example]) -> Counter[str]:
    """How often something of each kind is in an example and not in those that were read back."""
    kept: dict[Statement, Details] = {}
    for example in after:
        for statement, details in statements(example).items():
            for name, values in details.items():
                kept.setdefault(statement, {}).setdefault(name, set()).update(values)
            kept.setdefault(statement, {})
    lost: Counter[str] = Counter()
    for statement, details in statements(before).items():
        if statement not in kept:
            lost[statement[0]] += 1
            continue
        for name, values in details.items():
            lost[name] += len(values - kept[statement].get(name, set()))
    return +lost


def _verdict(prompt: str, pair: Pair) -> Statement:
    texts = (pair.first.text, pair.second.text)
    if pair.choice in {"first", "second"}:
        return "verdict", prompt, *(texts if pair.choice == "first" else texts[::-1])
    return f"{pair.choice} verdict", prompt, *sorted(texts)


def _told(pair: Pair) -> dict[str, Any]:
    opinion = pair.opinion
    own = {
        "annotator": opinion.annotator,
        "judge": opinion.judge,
        "probability": pair.probability if pair.choice == "first" else pair.probability and 1 - pair.probability,
        "strength": opinion.strength,
        "note": opinion.note,
        "order shown": [pair.first.text, pair.second.text],
    }
    return {**own, **_flat("verdict", opinion.origin)}


def _flat(kind: str, origin: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"{kind}'s {name}": value for name, value in (origin or {}).items()}


def _details(told: Mapping[str, Any]) -> Details:
    return {name: {json.dumps(value, sort_keys=True)} for name, value in told.items() if value is not None}


def _add(found: dict[Statement, Details], statement: Statement, told: Mapping[str, Any]) -> None:
    details = found.setdefault(statement, {})
    for name, values in _details(told).items():
        details.setdefault(name, set()).update(values)
