"""Which fields of a labelling tool's task are the prompt and the answers: their names say so."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from stemma.records.conversation import message_list, only_question
from stemma.records.fault import RowFault
from stemma.records.types import Conversation

PROMPTS = ("prompt", "instruction", "question")
ANSWER = re.compile(r"(response|answer|completion|output|generation|reply|text)[-_ ]?([0-9]+|[a-zA-Z])")


def prompt_field(fields: Collection[str], place: str) -> str:
    """The one field that is the prompt. Raises RowFault where none or several could be."""
    found = [name for name in PROMPTS if name in fields]
    if len(found) != 1:
        raise RowFault(place, f"must hold one of {', '.join(PROMPTS)}: it holds {', '.join(found) or 'none'}")
    return found[0]


def answer_fields(fields: Mapping[str, Any], place: str) -> list[str]:
    """The fields that are answers: those that differ in a last digit or letter, such as answer1 and answer2.

    Raises RowFault where fewer than two are, or names of several kinds could be.
    """
    found = {name: match[1] for name in fields if (match := ANSWER.fullmatch(name))}
    if len(found) < 2 or len(set(found.values())) > 1:
        told = ", ".join(found) or "none"
        raise RowFault(place, f"must hold the answers as answer1, answer2 or the like: it holds {told}")
    return sorted(found, key=lambda name: (len(name), name))


def prompt_value(prompt: Conversation) -> Any:
    """The prompt as a tool takes it: the text of one question, or else messages."""
    question = only_question(prompt)
    return message_list(prompt) if question is None else question
