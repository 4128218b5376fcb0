"""The prompts that an AI judge reads.

What a person or a model wrote is data in them: it is put in once, so a placeholder in it stays text; what a chat
template would read as the end of a turn is broken up; and a constitution's {mark} sets it off by a word that it cannot
hold. Whether a judge then does what an answer tells it to is another matter: `stemma judge check` measures that.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

from stemma.judging.constitution import PLACEHOLDER, Constitution
from stemma.records.types import Conversation, Message

CONTROL = re.compile(
    r"<(?=[|｜])|(?<=[|｜])(?=>)|<(?=/?s>|bos>|eos>|(?:start|end)_of_turn>|/?think>)|\[(?=/?(?:INST|SYS)\])",
    re.IGNORECASE,
)
"""Where the tokens begin (and some end) by which chat templates part the turns."""
MARK_DIGITS = 8


def comparison_prompt(
    constitution: Constitution, prompt: Conversation, first: str, second: str, reasoning: bool
) -> Conversation:
    """Ask which of two answers to a conversation is better."""
    asked = constitution.compare
    ending = asked.with_reasons if reasoning else asked.briefly
    user = "\n\n".join(part for part in (asked.user, ending) if part)
    return _filled(constitution, asked.system, user, prompt, {"first": first, "second": second})


def critique_prompt(constitution: Constitution, prompt: Conversation, answer: str) -> Conversation:
    """Ask what is wrong with an answer.

    Raises ValueError where the constitution has no such prompt.
    """
    if constitution.critique is None:
        raise ValueError(f"constitution {constitution.name} has no `critique`")
    asked = constitution.critique
    return _filled(constitution, asked.system, asked.user, prompt, {"answer": answer})


def revision_prompt(constitution: Constitution, prompt: Conversation, answer: str, critique: str) -> Conversation:
    """Ask for a better answer, given a critique.

    Raises ValueError where the constitution has no such prompt.
    """
    if constitution.revise is None:
        raise ValueError(f"constitution {constitution.name} has no `revise`")
    asked = constitution.revise
    return _filled(constitution, asked.system, asked.user, prompt, {"answer": answer, "critique": critique})


def prompt_sha256(messages: Conversation) -> str:
    """The sha256 of a prompt: roles, contents and their order."""
    told = [[message.role, message.content] for message in messages]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()


def defused(text: str) -> str:
    """A text in which no chat template finds a token of its own; all other texts are left as they are."""
    return CONTROL.sub(lambda found: f"{found.group()} ", text)


def _filled(
    constitution: Constitution, system: str, user: str, prompt: Conversation, texts: Mapping[str, str]
) -> Conversation:
    safe = {name: defused(text) for name, text in texts.items()}
    safe["conversation"] = "\n\n".join(_turn(constitution.turn, message) for message in prompt)
    values = {
        **safe,
        "mark": mark_for(list(safe.values())),
        "principles": "\n".join(f"- {principle}" for principle in constitution.principles),
        "rubric": constitution.rubric,
    }
    asked = Message(role="user", content=_fill(user, values))
    return (Message(role="system", content=_fill(system, values)), asked) if system else (asked,)


def _turn(template: str, message: Message) -> str:
    return _fill(template, {"role": message.role, "content": defused(message.content)})


def _fill(template: str, values: Mapping[str, str]) -> str:
    """Put the values in, all at once: what is put in is not looked through again."""
    return PLACEHOLDER.sub(lambda found: values[found.group(1)], template)


def mark_for(texts: Sequence[str]) -> str:
    """A short word that none of the texts holds, the same in whatever order they come."""
    told = json.dumps(sorted(texts))
    while True:
        told = hashlib.sha256(told.encode()).hexdigest()
        mark = told[:MARK_DIGITS]
        if not any(mark in text for text in texts):
            return mark
