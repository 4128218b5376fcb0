"""Two policies' answers to the same prompts, judged, counted, and laid side by side."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from stemma.evaluation.intervals import Interval
from stemma.evaluation.metrics import answer_metrics, gold_metrics
from stemma.evaluation.report import Mode, Row, rows_of
from stemma.evaluation.side_by_side import JudgedAnswer, SideBySide
from stemma.evaluation.win_rate import win_rate
from stemma.judging.judge import Answer, Judge
from stemma.judging.kinds import JudgeKind
from stemma.records.types import Prompt
from stemma.world.gold import Judgement, judge_answer

WIN_RATES: dict[JudgeKind, str] = {"gold": "gold/win_rate", "reward_model": "judge/win_rate"}


class DrawnAnswer(Answer, Protocol):
    """An answer with the tokens that were drawn."""

    @property
    def tokens(self) -> Sequence[int]:
        """What was drawn, the end-of-turn token included."""


class Assessment(NamedTuple):
    """One policy's answers, judged; every field has a row a prompt and in it an entry an answer."""

    answers: Sequence[Sequence[DrawnAnswer]]
    scores: Sequence[Sequence[float]]
    judgements: Sequence[Sequence[Judgement]] | None
    """None where there is no gold rule."""


def assess(judge: Judge, prompts: Sequence[Prompt], answers: Sequence[Sequence[DrawnAnswer]]) -> Assessment:
    """Judge the answers to every prompt; answers[i] belong to prompts[i]."""
    pairs = [(prompt, answer) for prompt, row in zip(prompts, answers, strict=True) for answer in row]
    scores = iter(judge.score([prompt for prompt, _ in pairs], [answer for _, answer in pairs]))
    judgements = None
    if judge.kind == "gold":
        judgements = [
            [judge_answer(prompt, answer.text, answer.finished) for answer in row]
            for prompt, row in zip(prompts, answers, strict=True)
        ]
    return Assessment(answers, [[next(scores) for _ in row] for row in answers], judgements)


def own_metrics(prompts: Sequence[Prompt], assessment: Assessment) -> dict[str, Interval]:
    """The numbers of one policy alone: the gold rule's where there is one, and the answers' lengths."""
    answers, scores, judgements = assessment
    gold = {}
    if judgements is not None:
        gold = gold_metrics([prompt.kind for prompt in prompts], judgements, scores)
    lengths = [[len(answer.tokens) for answer in row] for row in answers]
    return gold | answer_metrics(lengths, [[answer.finished for answer in row] for row in answers])


def compare(judge: JudgeKind, prompts: Sequence[Prompt], mode: Mode, sft: Assessment, tuned: Assessment) -> list[Row]:
    """The numbers of both policies, and the tuned policy's win rate under its judge's metric name."""
    duel = {WIN_RATES[judge]: win_rate(tuned.scores, sft.scores).interval}
    return rows_of(mode, "tuned", duel | own_metrics(prompts, tuned)) + rows_of(mode, "sft", own_metrics(prompts, sft))


def side_by_side(prompts: Sequence[Prompt], mode: Mode, sft: Assessment, tuned: Assessment) -> Iterator[SideBySide]:
    """Both policies' answers to every prompt, for people."""
    for i, prompt in enumerate(prompts):
        for index in range(len(tuned.answers[i])):
            yield SideBySide(
                prompt_id=prompt.id,
                kind=prompt.kind,
                prompt=prompt.messages,
                mode=mode,
                index=index,
                sft=_judged(sft, i, index),
                tuned=_judged(tuned, i, index),
            )


def _judged(assessment: Assessment, prompt: int, index: int) -> JudgedAnswer:
    answer = assessment.answers[prompt][index]
    judgement = assessment.judgements[prompt][index] if assessment.judgements is not None else None
    return JudgedAnswer(
        text=answer.text,
        finished=answer.finished,
        score=round(assessment.scores[prompt][index], 6),
        outcome=judgement.outcome if judgement else None,
    )
