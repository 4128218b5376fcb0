"""A judge that reads a prompt: each case is asked about in both orders, and the answers are averaged."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol, get_args

from stemma.judging.answer_cache import AnswerCache, key_of
from stemma.judging.case import PROBABILITY_DIGITS, Case, Opinion, Order
from stemma.judging.constitution import Constitution
from stemma.judging.intake import Intake, Told
from stemma.judging.prompt import comparison_prompt, prompt_sha256
from stemma.judging.reply import Reply
from stemma.records.types import Conversation, Origin
from stemma.stage.live_lines import LiveLines


@dataclass(frozen=True)
class Question:
    """One prompt to a model."""

    key: str
    messages: Conversation
    seed: int


class Model(Protocol):
    """What answers prompts."""

    @property
    def identity(self) -> Origin:
        """All that its answers depend on besides the prompt and the seed."""

    @property
    def origin(self) -> Origin:
        """What every verdict says of it."""

    @property
    def samples(self) -> int:
        """How often each prompt is asked."""

    def ask(self, questions: Sequence[Question], known: Collection[str], keep: Callable[[Told], None]) -> None:
        """Answer the questions whose keys are not known, and hand the answers on as soon as they are there.

        Raises ServiceError where no more answers can be had.
        """


@dataclass(frozen=True)
class Bench:
    """What the judges of one stage share."""

    constitution: Constitution
    constitution_sha256: str
    cache: AnswerCache
    seed: int
    most_broken_share: float
    progress: LiveLines

    def told(self) -> Origin:
        """The constitution as it stands on record."""
        return {
            "name": self.constitution.name,
            "version": self.constitution.version,
            "sha256": self.constitution_sha256,
        }


@dataclass(frozen=True)
class _Asked:
    """One question about a case."""

    order: Order
    question: Question


class TextJudge:
    """Compares answers by asking a model."""

    def __init__(self, name: str, model: Model, reasoning: bool, bench: Bench) -> None:
        self.name = name
        self.broken: dict[str, int] = {}
        self._model = model
        self._reasoning = reasoning
        self._bench = bench

    def opinions(self, cases: Sequence[Case]) -> list[Opinion | None]:
        """An opinion of every case; None where one of its answers could not be read, however often it was asked.

        Raises ServiceError where the model cannot be asked any more, DataError where too much cannot be read.
        """
        asked = [self._asked(case) for case in cases]
        questions = {one.question.key: one.question for row in asked for one in row}
        bench = self._bench
        intake = Intake(self.name, bench.cache, bench.progress, list(questions), bench.most_broken_share)
        if len(intake.replies) < len(questions):
            self._model.ask(list(questions.values()), set(intake.replies), intake.take)
        self.broken = dict(sorted(intake.broken.items()))
        return [self._opinion(row, intake.replies) for row in asked]

    def _asked(self, case: Case) -> list[_Asked]:
        asked = []
        for order in get_args(Order):
            first, second = case.shown(order)
            messages = comparison_prompt(self._bench.constitution, case.prompt.messages, first, second, self._reasoning)
            asked += [_Asked(order, self._question(messages, sample)) for sample in range(self._model.samples)]
        return asked

    def _question(self, messages: Conversation, sample: int) -> Question:
        seed = self._bench.seed + sample
        told = {
            "judge": self._model.identity,
            "prompt": [[message.role, message.content] for message in messages],
            "seed": seed,
            "verdicts": list(self._bench.constitution.compare.verdicts),
        }
        return Question(key_of(told), messages, seed)

    def _opinion(self, row: Sequence[_Asked], replies: Mapping[str, Reply]) -> Opinion | None:
        told = [(one, replies[one.question.key]) for one in row if one.question.key in replies]
        if len(told) < len(row):
            return None
        origin: Origin = {
            "model": self._model.origin,
            "constitution": self._bench.told(),
            "reasoning": self._reasoning,
            "orders": [_on_record(one, reply) for one, reply in told],
        }
        chances = [_of_first(one.order, reply) for one, reply in told]
        return Opinion(fmean(chances), origin, sum(reply.tokens for _, reply in told))


def _of_first(order: Order, reply: Reply) -> float:
    """The chance of the case's first answer, whichever was shown first."""
    return reply.probability if order == "first_second" else 1 - reply.probability


def _on_record(one: _Asked, reply: Reply) -> Origin:
    return {
        "order": one.order,
        "prompt_sha256": prompt_sha256(one.question.messages),
        "seed": one.question.seed,
        "probability": round(_of_first(one.order, reply), PROBABILITY_DIGITS),
        "raw": reply.raw,
    }
