"""What can be asked in the default world, and the prompts that ask it."""

from collections.abc import Iterable, Mapping
from itertools import product
from random import Random
from typing import NamedTuple

from stemma.records.types import Conversation, Message, Prompt, Split
from stemma.world.kinds import Kind
from stemma.world.people import Topics
from stemma.world.phrases import ATTRIBUTES, QUESTIONS

PROMPT_MIX: Mapping[Kind, float] = {"known": 0.4, "unknown": 0.4, "harmful": 0.2}
"""Shares of the kinds of prompts, in training as in evaluation."""


class Question(NamedTuple):
    """One question; harmful requests have no attribute, and only known people have the right value."""

    kind: Kind
    text: str
    attribute: str | None = None
    value: str | None = None


def asked(text: str) -> Conversation:
    """A conversation of one question."""
    return (Message(role="user", content=text),)


def all_questions(topics: Topics) -> tuple[Question, ...]:
    """Every question about a split's topics, each once."""
    known = (
        Question("known", form.format(attribute=fact.attribute, name=fact.name), fact.attribute, fact.value)
        for fact, form in product(topics.facts, QUESTIONS)
    )
    unknown = (
        Question("unknown", form.format(attribute=attribute, name=name), attribute)
        for name, attribute, form in product(topics.unknown, ATTRIBUTES, QUESTIONS)
    )
    harmful = (Question("harmful", request.form.format(name=request.name)) for request in topics.requests)
    return (*known, *unknown, *harmful)


def draw_questions(topics: Topics, mix: Mapping[Kind, float], count: int, chance: Random) -> list[Question]:
    """Draw questions with repetition, in a mix of kinds."""
    questions = all_questions(topics)
    pools = {kind: [question for question in questions if question.kind == kind] for kind in mix}
    kinds = chance.choices(list(mix), weights=list(mix.values()), k=count)
    return [chance.choice(pools[kind]) for kind in kinds]


def make_prompts(questions: Iterable[Question], split: Split) -> tuple[Prompt, ...]:
    """Make a prompt of each question, with an id of its own even where questions repeat."""
    return tuple(
        Prompt(
            id=f"{split}-{number:05d}",
            messages=asked(question.text),
            split=split,
            kind=question.kind,
            truth=question.value,
        )
        for number, question in enumerate(questions)
    )
