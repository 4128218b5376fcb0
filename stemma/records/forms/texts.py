"""`{"text": …}`: a text to pre-train on; `{"prompt": …}`: a prompt, as a text or as messages."""

from collections.abc import Iterator
from typing import Any

from stemma.records.conversation import message_list, prompt_of, text_of
from stemma.records.example import Example
from stemma.records.forms.form import Form, Row


def read_text(row: Row) -> Example:
    """Read a text. Raises RowFault where it is not one."""
    return Example(form="text", text=text_of(row["text"], "text"))


def write_text(example: Example) -> Iterator[dict[str, Any]]:
    """Write the text to pre-train on."""
    if example.text is not None:
        yield {"text": example.text}


def read_prompt(row: Row) -> Example:
    """Read a prompt. Raises RowFault where it does not wait for an answer."""
    return Example(form="prompt", prompt=prompt_of(row["prompt"], "prompt"))


def write_prompt(example: Example) -> Iterator[dict[str, Any]]:
    """Write the prompt as messages, so that all rows of a file have one type."""
    if example.prompt:
        yield {"prompt": message_list(example.prompt)}


FORMS = (
    Form("text", frozenset({"text"}), read_text, write_text),
    Form("prompt", frozenset({"prompt"}), read_prompt, write_prompt),
)
