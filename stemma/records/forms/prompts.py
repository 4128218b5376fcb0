"""`{"prompt": …}`: a prompt, as a text or as messages."""

from collections.abc import Mapping
from typing import Any

from stemma.records.conversation import prompt_of
from stemma.records.example import Example


def read_prompt(row: Mapping[str, Any]) -> Example:
    """Read a prompt. Raises RowFault where it does not wait for an answer."""
    return Example("prompt", prompt=prompt_of(row["prompt"], "prompt"))
