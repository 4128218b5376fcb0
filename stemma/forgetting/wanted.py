"""What a request to forget is about, and which rows that means."""

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from unicodedata import normalize

from stemma.records.fault import RowFault
from stemma.records.own_data import ID_LENGTH
from stemma.records.recognition import read_example
from stemma.records.splits import prompt_digest
from stemma.records.types import Conversation, Message

FORGOTTEN_TEXT = "forgotten"
"""What stands in a report for a name that was forgotten."""
FORM_FIELDS = ("text", "prompt", "completion", "messages", "chosen", "rejected")


class Wanted(ABC):
    """What is to be forgotten."""

    kind: str
    learns = False
    """Whether one row can say which other rows are meant."""

    def __init__(self, text: str) -> None:
        self.text = text

    @abstractmethod
    def in_row(self, row: Any) -> bool:
        """Whether a row of a dataset is one of those that are meant."""

    def learn(self, row: Any) -> None:  # noqa: B027 -- most requests have nothing to learn
        """Look at a row before any is decided on."""

    def hide(self, text: str) -> str:
        """A text without what is to be forgotten."""
        return text


class Annotator(Wanted):
    """All that one annotator said."""

    kind = "annotator"

    def in_row(self, row: Any) -> bool:
        """A row that the annotator labelled."""
        return isinstance(row, dict) and row.get("annotator") == self.text

    def hide(self, text: str) -> str:
        """The name, where it stands as a word, is replaced."""
        return re.sub(rf"(?<!\w){re.escape(self.text)}(?!\w)", FORGOTTEN_TEXT, text)


class Subject(Wanted):
    """All rows in which a text, such as a person's name, occurs as words, however it is written."""

    kind = "subject"

    def __init__(self, text: str) -> None:
        super().__init__(text)
        words = r"\s+".join(re.escape(word) for word in _plain(text).split())
        self._words = re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)

    def in_row(self, row: Any) -> bool:
        """A row in one of whose texts it occurs."""
        return any(self._words.search(_plain(text)) for text in _texts(row))

    def hide(self, text: str) -> str:
        """It is replaced wherever it occurs."""
        plain = _plain(text)
        return self._words.sub(FORGOTTEN_TEXT, plain) if self._words.search(plain) else text


class Record(Wanted):
    """One record: by its id, or by the sha256 of its row, of a text in it, or of its prompt.

    A prompt's id means the same prompt wherever it stands: as a demonstration, in a raw file, with its answers.
    """

    kind = "record"
    learns = True

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._digests = {text}

    def learn(self, row: Any) -> None:
        """A prompt of that id tells how the same prompt is known where it has no id."""
        if isinstance(row, dict) and row.get("id") == self.text:
            self._digests.update(prompt_digest(prompt) for prompt in _prompts(row))

    def in_row(self, row: Any) -> bool:
        """A row of that id, or that holds the record's text or prompt."""
        if isinstance(row, dict) and self.text in {row.get("id"), row.get("prompt_id")}:
            return True
        if any(_sha256(text) in self._digests for text in _texts(row)):
            return True
        digests = [prompt_digest(prompt) for prompt in _prompts(row)]
        return any(digest in self._digests or digest[:ID_LENGTH] == self.text for digest in digests)


def matches(wanted: Wanted, line: str) -> bool:
    """Whether a line of a JSONL file is one of the rows that are meant; a line that is no JSON counts as a text."""
    return wanted.in_row(parsed(line)) or (wanted.kind == "record" and _sha256(line.strip()) == wanted.text)


def parsed(line: str) -> Any:
    """A line's row; the line itself where it is no JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(text: str) -> str:
    """A text in one way of writing: an é is the same as an e with an accent."""
    return normalize("NFC", text)


def _texts(row: Any) -> Iterator[str]:
    """Every text in a row."""
    if isinstance(row, str):
        yield row
    elif isinstance(row, dict):
        for value in row.values():
            yield from _texts(value)
    elif isinstance(row, list):
        for value in row:
            yield from _texts(value)


def _prompts(row: Any) -> Iterator[Conversation]:
    """What may be a prompt in a row: as a reader of raw files takes it, and each conversation up to any turn."""
    if not isinstance(row, dict):
        return
    # A row that no reader of raw files takes has no prompt of that kind, and its conversations are looked at below.
    for fields in (row, {field: row[field] for field in FORM_FIELDS if field in row}):
        with suppress(RowFault):
            prompt = read_example(fields).prompt
            if prompt:
                yield prompt
    for value in row.values():
        turns = _turns(value)
        yield from (turns[:end] for end in range(1, len(turns) + 1))


def _turns(value: Any) -> Conversation:
    if not (
        isinstance(value, list) and all(isinstance(turn, dict) and {"role", "content"} <= set(turn) for turn in value)
    ):
        return ()
    return tuple(Message.model_construct(role=turn["role"], content=turn["content"]) for turn in value)
