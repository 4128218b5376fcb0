r"""HH-RLHF transcripts (Bai et al. 2022): "\n\nHuman: …\n\nAssistant: …\n\nHuman: …\n\nAssistant: …"."""

import re

from stemma.records.conversation import check_turns
from stemma.records.fault import RowFault
from stemma.records.types import Conversation, Message

_MARK = re.compile(r"\n\n(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def is_transcript(text: str) -> bool:
    """Whether the text begins as a transcript does."""
    return _MARK.match(_opened(text)) is not None


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


def _opened(text: str) -> str:
    return "\n\n" + text.replace("\r\n", "\n").lstrip()
