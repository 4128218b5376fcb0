"""A judge scores answers at evaluation; what it is depends on the data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from stemma.config import MachineConfig
from stemma.judging.kinds import JudgeKind, read_kind
from stemma.records.types import Prompt


class Answer(Protocol):
    """What a judge looks at of an answer."""

    @property
    def text(self) -> str:
        """What the answer says."""

    @property
    def finished(self) -> bool:
        """False where it ran into the length limit."""


class Judge(Protocol):
    """Scores answers; higher is better. Scores of different judges cannot be compared."""

    @property
    def kind(self) -> JudgeKind:
        """What it is."""

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[float]:
        """The score of answers[i] to prompts[i], for every i."""


def load_judge(folder: Path, machine: MachineConfig, batch_size: int = 64) -> Judge:
    """Load the judge of an artifact; `batch_size` is how many answers a reward model reads at once.

    Raises ArtifactError where the folder holds none.
    """
    if read_kind(folder) == "gold":
        from stemma.judging.gold_judge import GoldJudge

        return GoldJudge()
    from stemma.judging.reward_judge import RewardModelJudge

    return RewardModelJudge(folder, machine, batch_size)
