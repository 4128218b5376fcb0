"""Supervised fine-tuning: the base model learns to answer by imitating demonstrations. A round takes the champion."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from stemma.errors import DataError
from stemma.records.counting import counted
from stemma.records.jsonl import read_rows
from stemma.records.types import Demonstration
from stemma.stage.door import Stage, run_stage
from stemma.stage.manifest import verify_manifest
from stemma.stage.rank import first_goes_on_alone
from stemma.training.settings import TrainerSettings

CHAMPION = Path("inputs/round/policy/from-champion")
"""Where the policy that a round starts from lies in a run."""


class SftConfig(TrainerSettings):
    """How the policy is fine-tuned on demonstrations."""

    source: Literal["demonstrations", "champion"] = "demonstrations"
    """`demonstrations` train the base model; `champion`, which `retrain` sets, passes the champion through instead."""
    turns: Literal["all", "last"] = "all"
    """Which assistant turns of a conversation are learned: `all`, or only the `last`, which is the completion."""
    learning_rate: float = Field(8e-4, gt=0)
    """Of AdamW at the first step; it falls linearly to 0. Suits 1 M weights; take 1e-5 to 2e-5 for 0.5 B or more."""


def train_sft(config: SftConfig, stage: Stage) -> None:
    """Train artifacts/base on the demonstrations of artifacts/data, or pass the champion through."""
    if config.source == "champion":
        _pass_champion(stage)
    else:
        _train(config, stage)


def _pass_champion(stage: Stage) -> None:
    from stemma.models.passing_on import pass_on

    first_goes_on_alone()
    verify_manifest(CHAMPION)
    pass_on(CHAMPION, stage.output, stage.machine)
    stage.progress.say("the round starts from the champion, which is passed through")


def _train(config: SftConfig, stage: Stage) -> None:
    from stemma.training.sft import train_on_demonstrations

    path = stage.input("data") / "demonstrations.jsonl"
    demonstrations = read_rows(path, Demonstration)
    if not demonstrations:
        raise DataError(f"{path} is empty; SFT needs demonstrations: add some to data.files")
    count = len(demonstrations) if config.turns == "last" else sum(row.turns for row in demonstrations)
    stage.progress.say(f"{counted(len(demonstrations), 'demonstration')}; assistant turns learned: {count}")
    train_on_demonstrations(demonstrations, stage.input("base"), config, config.turns, stage)


if __name__ == "__main__":
    run_stage("sft", SftConfig, train_sft)
