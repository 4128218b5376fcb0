"""Answers to imitate: `{"prompt": …, "completion": …}` and `{"messages": […]}`."""

from collections.abc import Iterator
from typing import Any

from stemma.records.conversation import answer_of, assistant, message_list, messages_of, prompt_of
from stemma.records.example import Example
from stemma.records.fault import RowFault
from stemma.records.forms.form import Form, Row


def read_completion(row: Row) -> Example:
    """Read a prompt and its completion. Raises RowFault where either is missing or misshapen."""
    prompt = prompt_of(row["prompt"], "prompt")
    return Example(form="prompt+completion", prompt=prompt, target=answer_of(row["completion"], "completion"))


def write_completion(example: Example) -> Iterator[dict[str, Any]]:
    """Write a row for each answer to imitate, as messages."""
    for text in example.imitated():
        yield {"prompt": message_list(example.prompt or ()), "completion": message_list((assistant(text),))}


def read_messages(row: Row) -> Example:
    """Read a conversation whose last message is the answer to imitate. Raises RowFault where it is not."""
    messages = messages_of(row["messages"], "messages")
    if messages[-1].role != "assistant":
        raise RowFault("messages", "must end with the assistant's answer")
    return Example(form="messages", prompt=messages[:-1], target=messages[-1].content)


def write_messages(example: Example) -> Iterator[dict[str, Any]]:
    """Write a conversation for each answer to imitate."""
    for text in example.imitated():
        yield {"messages": message_list((*(example.prompt or ()), assistant(text)))}


FORMS = (
    Form("prompt+completion", frozenset({"prompt", "completion"}), read_completion, write_completion),
    Form("messages", frozenset({"messages"}), read_messages, write_messages),
)
