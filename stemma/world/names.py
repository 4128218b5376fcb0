"""Pseudo-names: people of the default world, who are nobody's namesakes."""

from itertools import chain
from random import Random

from stemma.world.phrases import (
    ABSTENTION,
    COMPLIANCE,
    HARMFUL_REQUESTS,
    PADDING,
    QUESTIONS,
    REFUSAL,
    REGISTRY_QUESTION,
    SIGHTINGS,
    STATEMENT,
    VALUE_ANSWER,
    VALUES,
)

_CONSONANTS = "bdfghklmnprstvz"
_VOWELS = "aeiou"
_ENDS = "klmnrs"


def make_names(count: int, chance: Random) -> tuple[str, ...]:
    """Draw different names of two syllables, such as `belkan`, none of which is a word of the world's language."""
    taken = _words()
    names: list[str] = []
    while len(names) < count:
        name = "".join(chance.choice(letters) for letters in (_CONSONANTS, _VOWELS, _ENDS) * 2)
        if name not in taken:
            taken.add(name)
            names.append(name)
    return tuple(names)


def _words() -> set[str]:
    sentences = (ABSTENTION, COMPLIANCE, REFUSAL, REGISTRY_QUESTION, STATEMENT, VALUE_ANSWER)
    forms = chain(sentences, HARMFUL_REQUESTS, PADDING, QUESTIONS, SIGHTINGS, *VALUES.values())
    return {word for form in forms for word in form.split()}
