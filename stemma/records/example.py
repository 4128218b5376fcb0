"""What one row of a user's file says, whatever its form."""

from collections.abc import Iterator
from itertools import combinations
from typing import Literal, NamedTuple

from pydantic import Field

from stemma.records.types import Conversation, Message, Origin, Record

Choice = Literal["first", "second", "tie", "both_bad", "skip"]


class Answer(Record):
    """One of the answers that a row compares."""

    text: str = Field(min_length=1)
    finished: bool = True
    """False if it was cut at a length limit; a row that does not say so means a finished one."""
    origin: Origin | None = None
    """What the row says of this answer: the policy that wrote it, its ratings, …"""


class Opinion(Record):
    """What one annotator or AI judge said of a row's answers."""

    ranking: tuple[tuple[int, ...], ...] = Field(min_length=1)
    """The answers' indices, the best first; equals share a place. Answers that were not looked at are left out."""
    void: Literal["both_bad", "skip"] | None = None
    """Why there is no ranking; all answers that were looked at then share a place."""
    shown: tuple[int, ...] | None = None
    """The order shown, where it is another than the answers'."""
    annotator: str | None = None
    judge: str | None = None
    probability: float | None = Field(None, ge=0, le=1)
    """Of two answers: the chance that the first of them is the better one."""
    strength: int | None = Field(None, ge=1, le=3)
    note: str | None = None
    origin: Origin | None = None
    """What the row says of this opinion: batch, confidence, time, …"""


class Pair(NamedTuple):
    """Two answers of a row, in the order shown, and what one opinion says of them."""

    opinion: Opinion
    first: Answer
    second: Answer
    choice: Choice
    probability: float | None
    """The chance that `first` is the better one."""

    @property
    def decided(self) -> tuple[Answer, Answer] | None:
        """The chosen and the rejected answer, if either is better and their texts differ."""
        if self.choice not in {"first", "second"} or self.first.text == self.second.text:
            return None
        return (self.first, self.second) if self.choice == "first" else (self.second, self.first)


class Example(Record):
    """A row's content; what the form does not have is None or empty."""

    form: str
    """The name of the form that the row is in."""
    text: str | None = None
    """A text to pre-train on."""
    prompt: Conversation | None = None
    target: str | None = None
    """The answer to imitate that the row itself names."""
    answers: tuple[Answer, ...] = ()
    """The answers that are compared, or wait for it."""
    opinions: tuple[Opinion, ...] = ()
    kind: str | None = None
    """The slice that the prompt belongs to."""
    origin: Origin | None = None
    """What else the row says of the prompt, or of the whole."""
    opening: Message | None = None
    """The user's first message, where it was left out of the prompt; the split goes by it."""

    def pairs(self) -> Iterator[Pair]:
        """What every opinion says of every two answers that it looked at."""
        for opinion in self.opinions:
            place = {index: place for place, group in enumerate(opinion.ranking) for index in group}
            shown = [index for index in opinion.shown or sorted(place) if index in place]
            for one, other in combinations(shown, 2):
                choice = _choice(opinion, place[one], place[other])
                chance = opinion.probability if opinion.probability is None or one < other else 1 - opinion.probability
                yield Pair(opinion, self.answers[one], self.answers[other], choice, chance)

    def imitated(self) -> list[str]:
        """The answers to imitate: the row's own target, or else those that won most over losing."""
        if self.target is not None:
            return [self.target]
        balance = dict.fromkeys((answer.text for answer in self.answers), 0)
        for pair in self.pairs():
            if pair.decided:
                chosen, rejected = pair.decided
                balance[chosen.text] += 1
                balance[rejected.text] -= 1
        most = max(balance.values(), default=0)
        return [text for text, won in balance.items() if won == most and most > 0]

    def is_finished(self, text: str) -> bool:
        """Whether an answer came to its end; one that the row has both finished and cut did."""
        ends = [answer.finished for answer in self.answers if answer.text == text]
        return any(ends) or not ends


def preferred(
    form: str,
    prompt: Conversation,
    chosen: str,
    rejected: str,
    origin: Origin | None = None,
    finished: tuple[bool, bool] = (True, True),
) -> Example:
    """A row with two answers of which nobody named prefers the first; `origin` is the opinion's."""
    opinion = Opinion(ranking=((0,), (1,)), origin=origin)
    answers = (Answer(text=chosen, finished=finished[0]), Answer(text=rejected, finished=finished[1]))
    return Example(form=form, prompt=prompt, answers=answers, opinions=(opinion,))


def without_first_exchange(example: Example) -> Example | None:
    """The row without the first message of the user and the answer to it; None where the prompt has no other."""
    prompt = example.prompt or ()
    system = prompt[:1] if prompt and prompt[0].role == "system" else ()
    turns = prompt[len(system) :]
    if len(turns) < 3:
        return None
    return example.model_copy(update={"prompt": system + turns[2:], "opening": example.opening or turns[0]})


def ranked(scores: dict[int, float]) -> tuple[tuple[int, ...], ...]:
    """The places of answers by their scores, the highest first; equal scores share a place."""
    levels = sorted(set(scores.values()), reverse=True)
    return tuple(tuple(index for index, score in scores.items() if score == level) for level in levels)


def _choice(opinion: Opinion, one: int, other: int) -> Choice:
    if opinion.void:
        return opinion.void
    return "tie" if one == other else "first" if one < other else "second"
