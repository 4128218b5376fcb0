"""The judge of other data: a reward model trained on pairs that neither the policies nor their rewards learned from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from stemma.config import MachineConfig
from stemma.judging.judge import Answer
from stemma.models.chat import encode_answers, encode_prompts
from stemma.models.scalar import load_scalar_model
from stemma.models.scoring import score_rows
from stemma.models.tokenizer import load_tokenizer
from stemma.records.types import Prompt


class RewardModelJudge:
    """Scores answers with a reward model, at the answer's last token."""

    kind: Literal["reward_model"] = "reward_model"

    def __init__(self, folder: Path, machine: MachineConfig, batch_size: int) -> None:
        """Load the reward model of the folder.

        Raises ArtifactError where it holds none.
        """
        self._model = load_scalar_model(folder, machine)
        self._tokenizer = load_tokenizer(folder)
        self._batch_size = batch_size

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[float]:
        """The reward model's score of answers[i] to prompts[i]; an unfinished answer is read without an end of turn."""
        before = encode_prompts(self._tokenizer, [prompt.messages for prompt in prompts])
        texts, finished = [answer.text for answer in answers], [answer.finished for answer in answers]
        after = encode_answers(self._tokenizer, texts, finished)
        return score_rows(self._model, [p + a for p, a in zip(before, after, strict=True)], self._batch_size)
