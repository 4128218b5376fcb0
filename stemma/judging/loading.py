"""Load the judge that a run has."""

from pathlib import Path

from stemma.config import MachineConfig
from stemma.judging.judge import Judge
from stemma.judging.kinds import read_kind


def load_judge(folder: Path, machine: MachineConfig, batch_size: int = 64) -> Judge:
    """Load the judge of an artifact; `batch_size` is how many answers a reward model reads at once.

    Raises ArtifactError where the folder holds none.
    """
    if read_kind(folder) == "gold":
        from stemma.judging.gold_judge import GoldJudge

        return GoldJudge()
    from stemma.judging.reward_judge import RewardModelJudge

    return RewardModelJudge(folder, machine, batch_size)
