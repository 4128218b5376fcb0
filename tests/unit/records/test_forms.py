from typing import Any

import pytest

from stemma.records.example import Example, preferred
from stemma.records.recognition import read_example
from stemma.records.types import Message

USER = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "hello"}
OTHER = {"role": "assistant", "content": "go away"}
SYSTEM = {"role": "system", "content": "be kind"}
HI = (Message(role="user", content="hi"),)
KIND_HI = (Message(role="system", content="be kind"), *HI)

FORMS = [
    ({"text": " a text\n"}, Example(form="text", text=" a text\n")),
    ({"prompt": " hi\n"}, Example(form="prompt", prompt=HI)),
    ({"prompt": [SYSTEM, USER]}, Example(form="prompt", prompt=KIND_HI)),
    ({"prompt": "hi", "completion": " hello"}, Example(form="prompt+completion", prompt=HI, target="hello")),
    ({"prompt": [USER], "completion": [ANSWER]}, Example(form="prompt+completion", prompt=HI, target="hello")),
    ({"messages": [SYSTEM, USER, ANSWER]}, Example(form="messages", prompt=KIND_HI, target="hello")),
    (
        {"prompt": "hi", "chosen": "hello", "rejected": "go away"},
        preferred("prompt+chosen+rejected", HI, "hello", "go away"),
    ),
    (
        {"prompt": [USER], "chosen": [ANSWER], "rejected": [OTHER]},
        preferred("prompt+chosen+rejected", HI, "hello", "go away"),
    ),
    (
        {"chosen": [SYSTEM, USER, ANSWER], "rejected": [SYSTEM, USER, OTHER]},
        preferred("chosen+rejected", KIND_HI, "hello", "go away"),
    ),
    (
        {"chosen": "hi hello", "rejected": "hi help yourself"},
        preferred("chosen+rejected", HI, "hello", "help yourself"),
    ),
    (
        {"chosen": "\n\nHuman: hi\n\nAssistant: hello", "rejected": "\n\nHuman: hi\n\nAssistant: go away"},
        preferred("hh-rlhf", HI, "hello", "go away"),
    ),
]


@pytest.mark.parametrize(("row", "example"), FORMS)
def test_a_form_is_recognised_by_its_fields(row: dict[str, Any], example: Example) -> None:
    assert read_example(row) == example


def test_fields_that_are_null_count_as_absent() -> None:
    row = {"prompt": "hi", "completion": None, "messages": None}
    assert read_example(row) == Example(form="prompt", prompt=HI)
    message = {**USER, "tool_calls": None}
    assert read_example({"prompt": [message]}) == Example(form="prompt", prompt=HI)


def test_ignored_fields_do_not_count() -> None:
    assert read_example({"prompt": "hi", "id": 7}, ["id"]) == Example(form="prompt", prompt=HI)
