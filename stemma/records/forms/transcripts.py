r"""HH-RLHF transcripts (Bai et al. 2022): "\n\nHuman: …\n\nAssistant: …\n\nHuman: …\n\nAssistant: …"."""

import re
from collections.abc import Iterator
from typing import Any

from stemma.records.conversation import assistant, check_turns, split_pair, text_of
from stemma.records.example import Example, preferred
from stemma.records.fault import RowFault
from stemma.records.forms.form import Form, Row
from stemma.records.types import Conversation, Message

_MARK = re.compile(r"\n\n(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}
_MARKS = {"user": "Human", "assistant": "Assistant"}


def is_transcript(text: str) -> bool:
    """Whether the text begins as a transcript does."""
    return _MARK.match(_opened(text)) is not None


def read_transcripts(row: Row) -> Example:
    """Read two transcripts that share their prompt. Raises RowFault where they do not."""
    both = [transcript_messages(text_of(row[field], field), field) for field in ("chosen", "rejected")]
    return preferred("hh-rlhf", *split_pair(both[0], both[1]))


def write_transcripts(example: Example) -> Iterator[dict[str, Any]]:
    """Write two transcripts for each preference; a system message has no place in them."""
    prompt = example.prompt or ()
    for pair in example.pairs():
        if pair.decided and prompt[0].role != "system":
            chosen, rejected = (_transcript((*prompt, assistant(answer.text))) for answer in pair.decided)
            yield {"chosen": chosen, "rejected": rejected}


def transcript_messages(text: str, field: str) -> Conversation:
    """Read the turns of a transcript, without the space around them.

    Raises RowFault where the text does not begin with a turn, a turn is empty, or a role is repeated.
    """
    opening, *parts = _MARK.split(_opened(text))
    if opening:
        raise RowFault(field, 'must begin with "Human:", as a transcript does')
    turns = list(zip(parts[::2], parts[1::2], strict=True))
    for index, (mark, said) in enumerate(turns, start=1):
        if not said.strip():
            what = "answer" if mark == "Assistant" and index == len(turns) else "turn"
            raise RowFault(field, f"has an empty {what}: turn {index}")
    messages = tuple(Message.model_validate({"role": _ROLES[mark], "content": said.strip()}) for mark, said in turns)
    check_turns(messages, field)
    return messages


def _transcript(messages: Conversation) -> str:
    return "".join(f"\n\n{_MARKS[message.role]}: {message.content}" for message in messages)


def _opened(text: str) -> str:
    return "\n\n" + text.replace("\r\n", "\n").lstrip()


FORMS = (Form("hh-rlhf", frozenset({"chosen", "rejected"}), read_transcripts, write_transcripts, by_name_only=True),)
