"""TRL's preference rows: `{"prompt": …, "chosen": …, "rejected": …}`, and `{"chosen": …, "rejected": …}`.

Without a prompt, what the two have in common is the prompt: turns of messages, turns of HH-RLHF transcripts, or the
words that two texts begin with. A row may have a `margin`, by how much the chosen answer is better, and
`chosen_finished` or `rejected_finished`, false where that answer was cut at a length limit.
"""

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from stemma.records.conversation import (
    answer_of,
    assistant,
    message_list,
    messages_of,
    prompt_of,
    split_pair,
    text_of,
)
from stemma.records.example import Example, preferred
from stemma.records.fault import RowFault
from stemma.records.fields import json_type, number_of
from stemma.records.forms.form import Form, Row
from stemma.records.forms.transcripts import is_transcript, read_transcripts
from stemma.records.types import Message, Origin

SIDES = ("chosen", "rejected")


def read_pair(row: Row) -> Example:
    """Read a prompt with two answers. Raises RowFault where a part is misshapen or the answers are the same."""
    prompt = prompt_of(row["prompt"], "prompt")
    chosen, rejected = answer_of(row["chosen"], "chosen"), answer_of(row["rejected"], "rejected")
    check_differ(chosen, rejected)
    return preferred("prompt+chosen+rejected", prompt, chosen, rejected, margin_of(row), _finished(row))


def write_pair(example: Example) -> Iterator[dict[str, Any]]:
    """Write a row for each preference, as messages."""
    for chosen, rejected, more in _preferences(example):
        answers = {"chosen": message_list((assistant(chosen),)), "rejected": message_list((assistant(rejected),))}
        yield {"prompt": message_list(example.prompt or ()), **answers, **more}


def read_implicit_pair(row: Row) -> Example:
    """Read two conversations that share their prompt. Raises RowFault where they share no prompt."""
    chosen, rejected = row["chosen"], row["rejected"]
    if isinstance(chosen, list) or isinstance(rejected, list):
        parts = split_pair(messages_of(chosen, "chosen"), messages_of(rejected, "rejected"))
        return preferred("chosen+rejected", *parts, margin_of(row), _finished(row))
    chosen, rejected = text_of(chosen, "chosen"), text_of(rejected, "rejected")
    if is_transcript(chosen) or is_transcript(rejected):
        pair = read_transcripts(row)
        ends = zip(pair.answers, _finished(row), strict=True)
        return pair.model_copy(
            update={"answers": tuple(answer.model_copy(update={"finished": end}) for answer, end in ends)}
        )
    return _texts(chosen, rejected, margin_of(row), _finished(row))


def write_implicit_pair(example: Example) -> Iterator[dict[str, Any]]:
    """Write two conversations for each preference."""
    for chosen, rejected, more in _preferences(example):
        prompt = example.prompt or ()
        both = [message_list((*prompt, assistant(text))) for text in (chosen, rejected)]
        yield {"chosen": both[0], "rejected": both[1], **more}


def preferences(example: Example) -> Iterator[tuple[str, str, Origin]]:
    """The chosen and the rejected text of every preference, and its margin, if there is one, as a field."""
    for pair in example.pairs():
        if pair.decided:
            margin = (pair.opinion.origin or {}).get("margin")
            yield pair.decided[0].text, pair.decided[1].text, {} if margin is None else {"margin": margin}


def margin_of(row: Row) -> Origin | None:
    """The margin of a row, as an opinion's origin. Raises RowFault where it is no number."""
    margin = row.get("margin")
    return None if margin is None else {"margin": number_of(margin, "margin")}


def _preferences(example: Example) -> Iterator[tuple[str, str, Origin]]:
    """The same with the fields that say which answer was cut."""
    pairs = (pair.decided for pair in example.pairs())
    for decided, (chosen, rejected, margin) in zip(filter(None, pairs), preferences(example), strict=True):
        cut = {f"{part}_finished": False for part, answer in zip(SIDES, decided, strict=True) if not answer.finished}
        yield chosen, rejected, {**margin, **cut}


def _finished(row: Row) -> tuple[bool, bool]:
    chosen, rejected = (row.get(f"{part}_finished", True) for part in SIDES)
    for part, value in zip(SIDES, (chosen, rejected), strict=True):
        if not isinstance(value, bool):
            raise RowFault(f"{part}_finished", f"must be true or false: it is {json_type(value)}")
    return chosen, rejected


def check_differ(chosen: str, rejected: str, field: str = "rejected") -> None:
    """Raise RowFault where two answers are the same text."""
    if chosen == rejected:
        raise RowFault(field, "is the same as chosen")


def _texts(chosen: str, rejected: str, margin: Origin | None, finished: tuple[bool, bool]) -> Example:
    shared = [letter for letter, _ in takewhile(lambda pair: pair[0] == pair[1], zip(chosen, rejected, strict=False))]
    # A word that both answers only begin alike ("blue", "black") belongs to the answers.
    end = max((index + 1 for index, letter in enumerate(shared) if letter.isspace()), default=0)
    prompt, answers = chosen[:end].strip(), (chosen[end:].strip(), rejected[end:].strip())
    check_differ(*answers)
    if not prompt:
        raise RowFault("rejected", "begins with another word than chosen, so that the two share no prompt")
    for field, answer in zip(SIDES, answers, strict=True):
        if not answer:
            raise RowFault(field, "has nothing after the words that both begin with")
    return preferred("chosen+rejected", (Message(role="user", content=prompt),), *answers, margin, finished)


_OPTIONAL = frozenset({"margin", "chosen_finished", "rejected_finished"})
FORMS = (
    Form("prompt+chosen+rejected", frozenset({"prompt", "chosen", "rejected"}), read_pair, write_pair, _OPTIONAL),
    Form("chosen+rejected", frozenset({"chosen", "rejected"}), read_implicit_pair, write_implicit_pair, _OPTIONAL),
)
