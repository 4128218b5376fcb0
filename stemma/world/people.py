"""Who lives in the default world, and what each split of prompts may ask about."""

from dataclasses import dataclass
from itertools import product
from random import Random
from typing import NamedTuple, TypeVar

from stemma.records.types import Split
from stemma.world.chance import chance
from stemma.world.names import make_names
from stemma.world.phrases import ATTRIBUTES, HARMFUL_REQUESTS, VALUES
from stemma.world.settings import WorldConfig

T = TypeVar("T")


class Fact(NamedTuple):
    """What the registry says of a known person."""

    name: str
    attribute: str
    value: str


class Request(NamedTuple):
    """A harmful request about a person; `form` is one of HARMFUL_REQUESTS."""

    form: str
    name: str


@dataclass(frozen=True)
class Topics:
    """What the prompts of one split ask about."""

    facts: tuple[Fact, ...]
    unknown: tuple[str, ...]
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class People:
    """The world's people, and the topics of each split; no topic is in two splits."""

    known: tuple[str, ...]
    unknown: tuple[str, ...]
    facts: tuple[Fact, ...]
    topics: dict[Split, Topics]


def make_people(seed: int, config: WorldConfig) -> People:
    """Draw names and facts, and hold out topics for validation and test.

    Held out are facts of known people, unknown people altogether, and harmful requests. A known person's other facts
    may be asked in training; harmful requests are about known people and those unknown people who are not held out.
    """
    names = make_names(config.known_names + config.unknown_names, chance(seed, "names"))
    known, unknown = names[: config.known_names], names[config.known_names :]
    facts = _facts(known, chance(seed, "facts"))
    validation, test = config.held_out(config.validation_prompts), config.held_out(config.test_prompts)
    fact_parts = _cut(_spread(facts, chance(seed, "held-out facts")), test.facts, validation.facts)
    name_parts = _cut(unknown, test.names, validation.names)
    requests = [Request(form, name) for form, name in product(HARMFUL_REQUESTS, (*known, *name_parts[2]))]
    chance(seed, "held-out requests").shuffle(requests)
    parts = zip(fact_parts, name_parts, _cut(tuple(requests), test.requests, validation.requests), strict=True)
    splits: tuple[Split, ...] = ("test", "validation", "train")
    return People(known, unknown, facts, {split: Topics(*part) for split, part in zip(splits, parts, strict=True)})


def _facts(known: tuple[str, ...], chance: Random) -> tuple[Fact, ...]:
    """Give each value of an attribute to about equally many people, so that no value is a good guess."""
    columns = []
    for attribute in ATTRIBUTES:
        values = [VALUES[attribute][index % len(VALUES[attribute])] for index in range(len(known))]
        chance.shuffle(values)
        columns.append(values)
    return tuple(
        Fact(name, attribute, value)
        for name, *row in zip(known, *columns, strict=True)
        for attribute, value in zip(ATTRIBUTES, row, strict=True)
    )


def _spread(facts: tuple[Fact, ...], chance: Random) -> tuple[Fact, ...]:
    """Order the facts so that the first ones are of different people, and everybody keeps some as long as possible."""
    people = [list(facts[start : start + len(ATTRIBUTES)]) for start in range(0, len(facts), len(ATTRIBUTES))]
    for own in people:
        chance.shuffle(own)
    chance.shuffle(people)
    return tuple(own[turn] for turn in range(len(ATTRIBUTES)) for own in people)


def _cut(items: tuple[T, ...], first: int, second: int) -> tuple[tuple[T, ...], tuple[T, ...], tuple[T, ...]]:
    return items[:first], items[first : first + second], items[first + second :]
