"""Which answers of an evaluation people are shown: chosen by a rule, so that nobody picks the pretty ones."""

from collections.abc import Sequence

from stemma.evaluation.side_by_side import JudgedAnswer, SideBySide
from stemma.records.answer_examples import AnswerExample, AnswerExamples, ScoredAnswer, ordered_kinds

FIRST = 3
"""Prompts that are shown whatever came of them, at least; every kind has as many as the others."""
MOST_KINDS = 6
WORST = 3
"""Prompts that are shown because the tuned policy's answers are the worst."""


def choose_examples(table: Sequence[SideBySide], tuned: str) -> AnswerExamples:
    """Choose from the greedy answers: the first prompts by id of each kind, then the worst.

    The worst are those whose score fell most against SFT; where too few fell, those that score lowest follow.
    Of more than `MOST_KINDS` kinds the first by name are taken. `tuned` is the stage of the tuned policy.
    """
    rows = sorted((row for row in table if row.mode == "greedy"), key=lambda row: row.prompt_id)
    kinds = ordered_kinds([row.kind for row in rows])[:MOST_KINDS]
    each = -(-FIRST // max(len(kinds), 1))
    first = [row for kind in kinds for row in [row for row in rows if row.kind == kind][:each]]
    worst = [row for row in sorted(rows, key=_badness) if row not in first][:WORST]
    fallen = sum(_gain(row) < 0 for row in rows)
    which = "first by id" if each == 1 else f"first {each} by id"
    rule = (
        f"greedy answers; the {which} of each kind of prompt, then the {WORST} other prompts whose score fell most "
        f"against SFT, or that score lowest ({fallen} of {len(rows)} fell)"
    )
    reasons = [(row, "first by id") for row in first] + [(row, _fault(row)) for row in worst]
    return AnswerExamples(rule=rule, tuned=tuned, examples=tuple(_example(row, reason) for row, reason in reasons))


def _gain(row: SideBySide) -> float:
    return row.tuned.score - row.sft.score


def _badness(row: SideBySide) -> tuple[float, float]:
    """Ascending from the worst: the fall of the score, then the score."""
    return min(_gain(row), 0.0), row.tuned.score


def _fault(row: SideBySide) -> str:
    return f"score fell by {-_gain(row):.2f}" if _gain(row) < 0 else "lowest score"


def _example(row: SideBySide, reason: str) -> AnswerExample:
    return AnswerExample(
        prompt_id=row.prompt_id,
        kind=row.kind,
        prompt=row.prompt,
        reason=reason,
        sft=_answer(row.sft),
        tuned=_answer(row.tuned),
    )


def _answer(answer: JudgedAnswer) -> ScoredAnswer:
    return ScoredAnswer(text=answer.text, finished=answer.finished, score=answer.score, outcome=answer.outcome)
