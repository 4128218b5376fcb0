"""What people and models say is text: a special token written out in it stays text and opens no turn of its own.

A chat template puts messages into one string, in which `<|end|>` typed by a user looks like the template's own. So a
message that holds such text stands as a placeholder while the template is rendered, and is encoded by itself.
"""

import re
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from stemma.records.types import Conversation, Message

_OPEN, _CLOSE = "\ue000", "\ue001"
_PLACEHOLDER = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


class Spoken:
    """Hides messages that hold special tokens from the template, and encodes them as plain text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
        self._risky = re.compile("|".join(map(re.escape, [*special, _OPEN])))
        self._hidden: list[str] = []

    def hide(self, messages: Conversation) -> Conversation:
        """The conversation with a placeholder for every message that could be read as more than its text."""
        return tuple(
            Message(role=message.role, content=self._placeholder(message.content))
            if self._risky.search(message.content)
            else message
            for message in messages
        )

    def encode(self, rendered: Sequence[str]) -> list[list[int]]:
        """Token ids of rendered conversations, placeholders read as the texts they stand for."""
        whole = [text for text in rendered if not _PLACEHOLDER.search(text)]
        ids = iter(_ids(self._tokenizer, whole))
        return [self._in_parts(text) if _PLACEHOLDER.search(text) else next(ids) for text in rendered]

    def encode_plain(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts in which nothing is a special token."""
        ids = _ids(self._tokenizer, texts)
        for i, text in enumerate(texts):
            if self._risky.search(text):
                ids[i] = _plain(self._tokenizer, text)
        return ids

    def _placeholder(self, text: str) -> str:
        self._hidden.append(text)
        return f"{_OPEN}{len(self._hidden) - 1}{_CLOSE}"

    def _in_parts(self, text: str) -> list[int]:
        ids: list[int] = []
        for i, part in enumerate(_PLACEHOLDER.split(text)):
            ids += _plain(self._tokenizer, self._hidden[int(part)]) if i % 2 else _ids(self._tokenizer, [part])[0]
        return ids


def _ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    if not texts:
        return []
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=False, padding=False)["input_ids"]
    return ids


def _plain(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return ids
