"""Alpaca rows (LLaMA-Factory's data/README.md).

`{"instruction": …, "input": …, "output": …, "system": …, "history": [["asked", "said"], …]}` is an answer to imitate;
with `chosen` and `rejected` texts in place of `output` it is a preference.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from stemma.records.conversation import answer_of, check_turns, text_of
from stemma.records.example import Example, preferred
from stemma.records.fault import RowFault
from stemma.records.fields import list_of
from stemma.records.forms.form import Form, Row
from stemma.records.forms.pairs import check_differ, margin_of, preferences
from stemma.records.types import Conversation, Message, Origin


def read_alpaca(row: Row) -> Example:
    """Read an instruction and the answer to imitate. Raises RowFault where either is misshapen."""
    prompt, origin = instruction_of(row)
    return Example(form="alpaca", prompt=prompt, target=answer_of(row["output"], "output"), origin=origin)


def write_alpaca(example: Example) -> Iterator[dict[str, Any]]:
    """Write a row for each answer to imitate."""
    for text in example.imitated():
        yield {**instruction_fields(example.prompt or (), example.origin), "output": text}


def read_alpaca_pair(row: Row) -> Example:
    """Read an instruction with two answers. Raises RowFault where a part is misshapen or the answers are the same."""
    prompt, origin = instruction_of(row)
    chosen, rejected = text_of(row["chosen"], "chosen").strip(), text_of(row["rejected"], "rejected").strip()
    check_differ(chosen, rejected)
    pair = preferred("alpaca-pairs", prompt, chosen, rejected, margin_of(row))
    return pair.model_copy(update={"origin": origin})


def write_alpaca_pair(example: Example) -> Iterator[dict[str, Any]]:
    """Write a row for each preference."""
    for chosen, rejected, margin in preferences(example):
        fields = instruction_fields(example.prompt or (), example.origin)
        yield {**fields, "chosen": chosen, "rejected": rejected, **margin}


def instruction_of(row: Row) -> tuple[Conversation, Origin | None]:
    """The prompt that an instruction, with its input on a line of its own, system text and history make.

    What of the last message is the input is kept beside it. Raises RowFault where a field is misshapen.
    """
    question, given = text_of(row["instruction"], "instruction").strip(), row.get("input") or ""
    extra = text_of(given, "input").strip() if given != "" and str(given).strip() else ""
    messages = [*_system(row), *_history(row)]
    messages.append(Message(role="user", content=f"{question}\n{extra}" if extra else question))
    check_turns(tuple(messages), "history")
    return tuple(messages), {"input": extra} if extra else None


def instruction_fields(prompt: Conversation, origin: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields that `instruction_of` reads a prompt from."""
    fields: dict[str, Any] = {"instruction": prompt[-1].content, "input": ""}
    extra = (origin or {}).get("input")
    if isinstance(extra, str) and extra and prompt[-1].content.endswith(f"\n{extra}"):
        fields = {"instruction": prompt[-1].content.removesuffix(f"\n{extra}"), "input": extra}
    if prompt[0].role == "system":
        fields["system"] = prompt[0].content
    turns = [message.content for message in prompt[:-1] if message.role != "system"]
    if turns:
        fields["history"] = [[asked, said] for asked, said in zip(turns[::2], turns[1::2], strict=False)]
    return fields


def _system(row: Row) -> list[Message]:
    if not row.get("system"):
        return []
    return [Message(role="system", content=text_of(row["system"], "system"))]


def _history(row: Row) -> Iterator[Message]:
    for number, turn in enumerate(list_of(row.get("history") or [], "history")):
        field = f"history[{number}]"
        if len(list_of(turn, field)) != 2:
            raise RowFault(field, f"must hold what was asked and what was said: it holds {len(turn)} values")
        yield Message(role="user", content=text_of(turn[0], f"{field}[0]"))
        yield Message(role="assistant", content=text_of(turn[1], f"{field}[1]"))


_MORE = frozenset({"input", "system", "history"})
FORMS = (
    Form("alpaca", frozenset({"instruction", "output"}), read_alpaca, write_alpaca, _MORE),
    Form(
        "alpaca-pairs",
        frozenset({"instruction", "chosen", "rejected"}),
        read_alpaca_pair,
        write_alpaca_pair,
        _MORE | {"margin"},
    ),
)
