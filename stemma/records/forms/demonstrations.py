"""Answers to imitate: `{"prompt": …, "completion": …}` and `{"messages": […]}`."""

from collections.abc import Mapping
from typing import Any

from stemma.records.conversation import answer_of, messages_of, prompt_of
from stemma.records.example import Example
from stemma.records.fault import RowFault


def read_completion(row: Mapping[str, Any]) -> Example:
    """Read a prompt and its completion. Raises RowFault where either is missing or misshapen."""
    prompt = prompt_of(row["prompt"], "prompt")
    return Example("prompt+completion", prompt=prompt, answer=answer_of(row["completion"], "completion"))


def read_messages(row: Mapping[str, Any]) -> Example:
    """Read a conversation whose last message is the answer to imitate. Raises RowFault where it is not."""
    messages = messages_of(row["messages"], "messages")
    if messages[-1].role != "assistant":
        raise RowFault("messages", "must end with the assistant's answer")
    return Example("messages", prompt=messages[:-1], answer=messages[-1].content)
