"""Supervised fine-tuning: the base model learns to answer by imitating demonstrations."""

from pydantic import Field

from stemma.errors import DataError
from stemma.records.jsonl import read_rows
from stemma.records.types import Demonstration
from stemma.stage.door import Stage, run_stage
from stemma.training.settings import TrainerSettings


class SftConfig(TrainerSettings):
    """How the policy is fine-tuned on demonstrations."""

    learning_rate: float = Field(8e-4, gt=0)
    """Of AdamW at the first step; it falls linearly to 0. Suits 1 M weights; take 1e-5 to 2e-5 for 0.5 B or more."""


def train_sft(config: SftConfig, stage: Stage) -> None:
    """Train artifacts/base on the demonstrations of artifacts/data."""
    from stemma.training.sft import train_on_demonstrations

    path = stage.input("data") / "demonstrations.jsonl"
    demonstrations = read_rows(path, Demonstration)
    if not demonstrations:
        raise DataError(f"{path} is empty; SFT needs demonstrations: add some to data.files")
    stage.progress.say(f"{len(demonstrations)} demonstrations")
    train_on_demonstrations(demonstrations, stage.input("base"), config, stage)


if __name__ == "__main__":
    run_stage("sft", SftConfig, train_sft)
