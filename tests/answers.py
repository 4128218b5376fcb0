"""Answers before and after the tuning, as an evaluation leaves them."""

from stemma.records.answer_examples import AnswerExample, AnswerExamples, ScoredAnswer
from stemma.records.types import Message

ANSWERS = AnswerExamples(
    rule="the first",
    tuned="ppo",
    examples=(
        AnswerExample(
            prompt_id="a",
            kind="unknown",
            prompt=(Message(role="user", content="what is the trade of tusdul ?"),),
            reason="first by id",
            sft=ScoredAnswer(text="hunter", finished=True, score=-1.0, outcome="wrong"),
            tuned=ScoredAnswer(text="i do not know", finished=True, score=0.5, outcome="abstain"),
        ),
    ),
)
