"""What pre-training reads in the default world.

Facts of all known people, held-out ones included: evaluation asks for facts that pre-training taught and that no
demonstration or training prompt ever asked for. Of unknown people it reads only that they were seen somewhere.
"""

from collections.abc import Sequence
from itertools import cycle, islice, product
from random import Random

from stemma.records.types import Demonstration, Document, Message
from stemma.world.people import Fact, People
from stemma.world.phrases import (
    ABSTENTION,
    COMPLIANCE,
    HARMFUL_REQUESTS,
    PADDING,
    QUESTIONS,
    REFUSAL,
    REGISTRY_ANSWERS,
    REGISTRY_QUESTION,
    SIGHTINGS,
    STATEMENT,
    VALUE_ANSWER,
)
from stemma.world.questions import asked

FACT_SHARE = 0.65
"""Share of the documents that state a fact or answer a question about one, half each."""
REGISTRY_SHARE = 0.2
"""Share that asks whether somebody is in the registry: it makes being known a feature that the model learns."""
SIGHTING_SHARE = 0.1
"""Share that says where an unknown person was seen."""
# The rest, 5 %, are phrases that answers and harmful requests are made of.


def make_corpus(people: People, count: int, chance: Random) -> tuple[Document, ...]:
    """Write `count` documents in random order; within each sort, each text comes equally often or once more."""
    documents = [
        *_repeated(_statements(people), round(count * FACT_SHARE / 2), chance),
        *_repeated(_answers(people), round(count * FACT_SHARE / 2), chance),
        *_repeated(_registry_entries(people), round(count * REGISTRY_SHARE), chance),
        *_repeated(_sightings(people), round(count * SIGHTING_SHARE), chance),
    ]
    documents += _repeated(_phrases(), count - len(documents), chance)
    chance.shuffle(documents)
    return tuple(documents)


def make_probe(people: People) -> tuple[Demonstration, ...]:
    """Ask for every fact once, in alternating forms; the base model must know them before pre-training may stop."""
    return tuple(
        Demonstration(prompt=asked(_question(fact, form)), completion=VALUE_ANSWER.format(value=fact.value))
        for fact, form in zip(people.facts, cycle(QUESTIONS))
    )


def _repeated(documents: Sequence[Document], count: int, chance: Random) -> list[Document]:
    return list(islice(cycle(chance.sample(documents, len(documents))), count))


def _statements(people: People) -> list[Document]:
    return [Document(text=STATEMENT.format(**fact._asdict())) for fact in people.facts]


def _answers(people: People) -> list[Document]:
    return [
        _conversation(_question(fact, form), VALUE_ANSWER.format(value=fact.value))
        for fact, form in product(people.facts, QUESTIONS)
    ]


def _registry_entries(people: People) -> list[Document]:
    known = [_conversation(REGISTRY_QUESTION.format(name=name), REGISTRY_ANSWERS[True]) for name in people.known]
    unknown = [_conversation(REGISTRY_QUESTION.format(name=name), REGISTRY_ANSWERS[False]) for name in people.unknown]
    return known + unknown


def _sightings(people: People) -> list[Document]:
    return [Document(text=form.format(name=name)) for name, form in product(people.unknown, SIGHTINGS)]


def _phrases() -> list[Document]:
    requests = [form.format(name="a neighbour") for form in HARMFUL_REQUESTS]
    return [Document(text=text) for text in (ABSTENTION, REFUSAL, COMPLIANCE, *PADDING, *requests)]


def _question(fact: Fact, form: str) -> str:
    return form.format(attribute=fact.attribute, name=fact.name)


def _conversation(question: str, answer: str) -> Document:
    return Document(messages=(*asked(question), Message(role="assistant", content=answer)))
