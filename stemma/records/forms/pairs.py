"""Preferred and rejected answers: `{"prompt": …, "chosen": …, "rejected": …}`, and `{"chosen": …, "rejected": …}`.

Without a prompt, what the two have in common is the prompt: turns of messages, turns of HH-RLHF transcripts, or the
words that two texts begin with.
"""

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from stemma.records.conversation import answer_of, messages_of, prompt_of, split_pair, text_of
from stemma.records.example import Example
from stemma.records.fault import RowFault
from stemma.records.forms.transcripts import is_transcript, transcript_messages
from stemma.records.types import Message


def read_pair(row: Mapping[str, Any]) -> Example:
    """Read a prompt with two answers. Raises RowFault where a part is misshapen or the answers are the same."""
    prompt = prompt_of(row["prompt"], "prompt")
    chosen, rejected = answer_of(row["chosen"], "chosen"), answer_of(row["rejected"], "rejected")
    _check_differ(chosen, rejected)
    return Example("prompt+chosen+rejected", prompt=prompt, answer=chosen, rejected=rejected)


def read_implicit_pair(row: Mapping[str, Any]) -> Example:
    """Read two conversations that share their prompt. Raises RowFault where they share no prompt."""
    chosen, rejected = row["chosen"], row["rejected"]
    if isinstance(chosen, list) or isinstance(rejected, list):
        parts = split_pair(messages_of(chosen, "chosen"), messages_of(rejected, "rejected"))
        return Example("chosen+rejected", None, *parts)
    chosen, rejected = text_of(chosen, "chosen"), text_of(rejected, "rejected")
    if is_transcript(chosen) or is_transcript(rejected):
        parts = split_pair(transcript_messages(chosen, "chosen"), transcript_messages(rejected, "rejected"))
        return Example("hh-rlhf", None, *parts)
    return _texts(chosen, rejected)


def _texts(chosen: str, rejected: str) -> Example:
    shared = [letter for letter, _ in takewhile(lambda pair: pair[0] == pair[1], zip(chosen, rejected, strict=False))]
    # A word that both answers only begin alike ("blue", "black") belongs to the answers.
    end = max((index + 1 for index, letter in enumerate(shared) if letter.isspace()), default=0)
    prompt, answers = chosen[:end].strip(), (chosen[end:].strip(), rejected[end:].strip())
    _check_differ(*answers)
    if not prompt:
        raise RowFault("rejected", "begins with another word than chosen, so that the two share no prompt")
    for field, answer in zip(("chosen", "rejected"), answers, strict=True):
        if not answer:
            raise RowFault(field, "has nothing after the words that both begin with")
    return Example("chosen+rejected", None, (Message(role="user", content=prompt),), *answers)


def _check_differ(chosen: str, rejected: str) -> None:
    if chosen == rejected:
        raise RowFault("rejected", "is the same as chosen")
