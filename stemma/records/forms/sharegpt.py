"""ShareGPT rows (LLaMA-Factory's data/README.md): `{"conversations": [{"from": "human", "value": …}, …], "system": …}`.

The conversation ends with the answer to imitate, or, with `chosen` and `rejected` turns beside it, with the question.
"""

from collections.abc import Iterator
from typing import Any

from stemma.records.conversation import check_turns, text_of
from stemma.records.example import Example, preferred
from stemma.records.fault import RowFault
from stemma.records.fields import json_type, list_of
from stemma.records.forms.form import Form, Row
from stemma.records.forms.pairs import check_differ, margin_of, preferences
from stemma.records.types import Conversation, Message

_ROLES = {"system": "system", "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
_NAMES = {"system": "system", "user": "human", "assistant": "gpt"}


def read_sharegpt(row: Row) -> Example:
    """Read a conversation whose last turn is the answer to imitate. Raises RowFault where it is not."""
    messages = _conversation(row)
    if messages[-1].role != "assistant":
        raise RowFault("conversations", "must end with gpt's answer")
    return Example(form="sharegpt", prompt=messages[:-1], target=messages[-1].content)


def write_sharegpt(example: Example) -> Iterator[dict[str, Any]]:
    """Write a conversation for each answer to imitate."""
    for text in example.imitated():
        fields = _fields(example.prompt or ())
        yield {**fields, "conversations": [*fields["conversations"], _turn("assistant", text)]}


def read_sharegpt_pair(row: Row) -> Example:
    """Read a conversation with two answers. Raises RowFault where a part is misshapen or the answers are the same."""
    messages = _conversation(row)
    if messages[-1].role != "user":
        raise RowFault("conversations", "must end with the human's question")
    chosen, rejected = (_message(row[field], field) for field in ("chosen", "rejected"))
    for field, message in (("chosen", chosen), ("rejected", rejected)):
        if message.role != "assistant":
            raise RowFault(f"{field}.from", "must be gpt")
    check_differ(chosen.content, rejected.content)
    return preferred("sharegpt-pairs", messages, chosen.content, rejected.content, margin_of(row))


def write_sharegpt_pair(example: Example) -> Iterator[dict[str, Any]]:
    """Write a row for each preference."""
    for chosen, rejected, margin in preferences(example):
        answers = {"chosen": _turn("assistant", chosen), "rejected": _turn("assistant", rejected)}
        yield {**_fields(example.prompt or ()), **answers, **margin}


def _conversation(row: Row) -> Conversation:
    turns = list_of(row["conversations"], "conversations")
    messages = tuple(_message(turn, f"conversations[{index}]") for index, turn in enumerate(turns))
    if row.get("system"):
        messages = (Message(role="system", content=text_of(row["system"], "system")), *messages)
    check_turns(messages, "conversations")
    return messages


def _message(turn: Any, field: str) -> Message:
    if not isinstance(turn, dict) or set(turn) != {"from", "value"}:
        told = ", ".join(sorted(turn)) if isinstance(turn, dict) else json_type(turn)
        raise RowFault(field, f"must be a turn with from and value, and nothing else: it is {told or 'empty'}")
    role = _ROLES.get(turn["from"]) if isinstance(turn["from"], str) else None
    if role is None:
        raise RowFault(f"{field}.from", f"must be one of {', '.join(_ROLES)}: it is {str(turn['from'])[:40]!r}")
    return Message.model_validate({"role": role, "content": text_of(turn["value"], f"{field}.value")})


def _fields(prompt: Conversation) -> dict[str, Any]:
    turns = [_turn(message.role, message.content) for message in prompt if message.role != "system"]
    system = {"system": prompt[0].content} if prompt[0].role == "system" else {}
    return {"conversations": turns, **system}


def _turn(role: str, text: str) -> dict[str, str]:
    return {"from": _NAMES[role], "value": text}


FORMS = (
    Form("sharegpt", frozenset({"conversations"}), read_sharegpt, write_sharegpt, frozenset({"system"}), array=True),
    Form(
        "sharegpt-pairs",
        frozenset({"conversations", "chosen", "rejected"}),
        read_sharegpt_pair,
        write_sharegpt_pair,
        frozenset({"system", "margin"}),
        array=True,
    ),
)
