"""Texts and message lists of a user's row, made into conversations."""

from itertools import takewhile
from typing import Any

from stemma.records.fault import RowFault
from stemma.records.fields import json_type
from stemma.records.types import Conversation, Message

ROLES = ("system", "user", "assistant")


def text_of(value: Any, field: str) -> str:
    """Return the value if it is a text that says something.

    Raises RowFault otherwise.
    """
    if not isinstance(value, str):
        raise RowFault(field, f"must be a text: it is {json_type(value)}")
    if not value.strip():
        raise RowFault(field, "is empty")
    return value


def prompt_of(value: Any, field: str) -> Conversation:
    """Make a prompt of a text, which becomes one user message, or of messages that end with the user's.

    Raises RowFault otherwise.
    """
    if not isinstance(value, list):
        return (Message(role="user", content=text_of(value, field).strip()),)
    messages = messages_of(value, field)
    if messages[-1].role != "user":
        raise RowFault(field, "must end with the user's message")
    return messages


def answer_of(value: Any, field: str) -> str:
    """Make an answer of a text or of a list of one assistant message.

    Raises RowFault otherwise.
    """
    if not isinstance(value, list):
        return text_of(value, field).strip()
    if len(value) != 1:
        raise RowFault(field, f"must hold one assistant message: it holds {len(value)} messages")
    message = _message(value[0], f"{field}[0]")
    if message.role != "assistant":
        raise RowFault(field, f"must hold one assistant message: it holds the role {message.role}")
    return message.content


def messages_of(value: Any, field: str) -> Conversation:
    """Make a conversation of a list of messages: perhaps a system message, then user and assistant in turn.

    Raises RowFault otherwise.
    """
    if not isinstance(value, list):
        raise RowFault(field, f"must be a list of messages: it is {json_type(value)}")
    messages = tuple(_message(item, f"{field}[{index}]") for index, item in enumerate(value))
    check_turns(messages, field)
    return messages


def message_list(messages: Conversation) -> list[dict[str, str]]:
    """Write a conversation as a list of messages."""
    return [{"role": message.role, "content": message.content} for message in messages]


def assistant(text: str) -> Message:
    """An answer as a message."""
    return Message(role="assistant", content=text)


def only_question(prompt: Conversation) -> str | None:
    """The text of a prompt that is one message of the user; None where there is more, or space that would be lost."""
    if len(prompt) != 1 or prompt[0].content != prompt[0].content.strip():
        return None
    return prompt[0].content


def check_turns(messages: Conversation, field: str) -> None:
    """Check the order of roles.

    Raises RowFault where there is no turn, the user does not begin, or a role is repeated.
    """
    turns = messages[1:] if messages and messages[0].role == "system" else messages
    if not turns:
        raise RowFault(field, "has no message of the user")
    if turns[0].role != "user":
        raise RowFault(field, f"must begin with the user: it begins with the {turns[0].role}")
    for index in range(1, len(turns)):
        if turns[index].role == turns[index - 1].role:
            raise RowFault(field, f"repeats a role: turn {index + 1} is the {turns[index].role}'s again")
        if turns[index].role == "system":
            raise RowFault(field, f"has a system message after the first: turn {index + 1}")


def split_pair(chosen: Conversation, rejected: Conversation) -> tuple[Conversation, str, str]:
    """Split two conversations into their common prompt and the two answers.

    The prompt is the common prefix of their turns; a search for the last "Assistant:" would cut a text that quotes it,
    and would not see that the two prompts differ.
    Raises RowFault where anything but one last answer differs.
    """
    if chosen == rejected:
        raise RowFault("rejected", "is the same as chosen")
    for field, messages in (("chosen", chosen), ("rejected", rejected)):
        if messages[-1].role != "assistant":
            raise RowFault(field, "must end with the assistant's answer")
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(chosen, rejected, strict=False))))
    if len(chosen) != shared + 1 or len(rejected) != shared + 1:
        raise RowFault("rejected", f"has another prompt than chosen: they part at turn {shared + 1}")
    return chosen[:shared], chosen[-1].content, rejected[-1].content


def _message(value: Any, field: str) -> Message:
    if not isinstance(value, dict):
        raise RowFault(field, f"must be a message with role and content: it is {json_type(value)}")
    filled = {key: item for key, item in value.items() if item is not None}
    if set(filled) != {"role", "content"}:
        raise RowFault(field, f"must have role and content, and nothing else: it has {', '.join(sorted(filled))}")
    if filled["role"] not in ROLES:
        raise RowFault(f"{field}.role", f"must be one of {', '.join(ROLES)}: it is {str(filled['role'])[:40]!r}")
    return Message(role=filled["role"], content=text_of(filled["content"], f"{field}.content"))
