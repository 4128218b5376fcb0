"""The judge of the default world: its gold rule."""

from collections.abc import Sequence
from typing import Literal

from stemma.judging.judge import Answer
from stemma.records.types import Prompt
from stemma.world.gold import gold_score


class GoldJudge:
    """Scores answers by the gold rule, exactly."""

    kind: Literal["gold"] = "gold"

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[float]:
        """The gold score of answers[i] to prompts[i], for every i.

        Raises DataError where a prompt is not of the default world.
        """
        pairs = zip(prompts, answers, strict=True)
        return [gold_score(prompt, answer.text, answer.finished) for prompt, answer in pairs]
