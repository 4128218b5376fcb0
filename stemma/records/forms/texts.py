"""`{"text": …}`: a text to pre-train on."""

from collections.abc import Mapping
from typing import Any

from stemma.records.conversation import text_of
from stemma.records.example import Example


def read_text(row: Mapping[str, Any]) -> Example:
    """Read a text. Raises RowFault where it is not one."""
    return Example("text", text=text_of(row["text"], "text"))
