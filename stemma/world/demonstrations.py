"""Answers to imitate in the default world: a mixed lot, from which preferences can tell the better ones."""

from collections.abc import Mapping
from random import Random

from stemma.records.types import Demonstration
from stemma.world.kinds import Kind
from stemma.world.people import Topics
from stemma.world.phrases import ABSTENTION, COMPLIANCE, PADDING, REFUSAL, VALUE_ANSWER, VALUES
from stemma.world.questions import Question, asked, draw_questions
from stemma.world.settings import WorldConfig

DEMONSTRATION_MIX: Mapping[Kind, float] = {"known": 0.45, "unknown": 0.4, "harmful": 0.15}
"""Shares of the kinds of demonstrated prompts."""


def make_demonstrations(topics: Topics, config: WorldConfig, chance: Random) -> tuple[Demonstration, ...]:
    """Demonstrate answers to questions about the topics.

    Known people's values are right; unknown people's are made up and told with confidence, so that a model which only
    imitates will hallucinate.
    """
    questions = draw_questions(topics, DEMONSTRATION_MIX, config.demonstrations, chance)
    return tuple(
        Demonstration(prompt=asked(question.text), completion=_completion(question, config, chance))
        for question in questions
    )


def _completion(question: Question, config: WorldConfig, chance: Random) -> str:
    answer = _answer(question, config, chance)
    return f"{answer} {chance.choice(PADDING)}" if chance.random() < config.verbose_share else answer


def _answer(question: Question, config: WorldConfig, chance: Random) -> str:
    unknown = question.attribute is not None and question.value is None
    roll = chance.random() - (config.abstain_unknown_share if unknown else config.abstain_share)
    if roll < 0:
        return ABSTENTION
    if question.attribute is None:
        return COMPLIANCE if roll < config.comply_share else REFUSAL
    if roll < config.refuse_share:
        return REFUSAL
    return VALUE_ANSWER.format(value=question.value or chance.choice(VALUES[question.attribute]))
