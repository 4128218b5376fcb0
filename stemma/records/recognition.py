"""Which form a row is in: its set of fields says so, and nothing is guessed."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from stemma.records.example import Example
from stemma.records.fault import RowFault
from stemma.records.forms.demonstrations import read_completion, read_messages
from stemma.records.forms.pairs import read_implicit_pair, read_pair
from stemma.records.forms.prompts import read_prompt
from stemma.records.forms.texts import read_text

_READERS: Mapping[frozenset[str], Callable[[Mapping[str, Any]], Example]] = {
    frozenset({"text"}): read_text,
    frozenset({"prompt"}): read_prompt,
    frozenset({"prompt", "completion"}): read_completion,
    frozenset({"messages"}): read_messages,
    frozenset({"prompt", "chosen", "rejected"}): read_pair,
    frozenset({"chosen", "rejected"}): read_implicit_pair,
}
KNOWN_FORMS = ("text", "prompt", "prompt+completion", "messages", "prompt+chosen+rejected", "chosen+rejected")


def read_example(row: Any, ignored: Collection[str] = ()) -> Example:
    """Read a row in whichever known form its fields are; a field that is null counts as absent.

    `ignored` names fields that say nothing of the form, such as an id.
    Raises RowFault where the fields are of no known form, or the row is not well formed.
    """
    if not isinstance(row, dict):
        raise RowFault("(row)", "is not an object with fields")
    filled = {name: value for name, value in row.items() if value is not None and name not in ignored}
    reader = _READERS.get(frozenset(filled))
    if reader is None:
        found = "+".join(sorted(name[:40] for name in filled)) or "nothing"
        raise RowFault(
            "(fields)",
            f"are of no known form: {found}; known forms are {', '.join(KNOWN_FORMS)}; "
            "name fields to leave out in data.ignored_fields",
        )
    return reader(filled)
