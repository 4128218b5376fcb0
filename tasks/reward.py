"""The reward model: the SFT model learns to score answers from comparisons."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from stemma.stage.door import Stage, run_stage
from stemma.stage.manifest import verify_manifest
from stemma.training.reward_settings import RewardSettings

EARLIER = Path("inputs/round/reward/from-earlier")
"""Where the reward model that a round may go on from lies in a run."""


class RewardConfig(RewardSettings):
    """How the reward model is trained, and when it is refused."""

    epochs: int = Field(2, ge=1)
    """Passes over the comparisons."""
    start_from: Literal["sft", "earlier"] = "sft"
    """Where training begins: `earlier`, which `retrain` sets, goes on from the reward model of the round before."""
    must_beat_chance: bool = True
    """Stop the run where held-out pairs do not show that the reward model is better than a coin."""

    @model_validator(mode="after")
    def _goes_on_whole(self) -> "RewardConfig":
        if self.start_from == "earlier" and self.tuning == "lora":
            raise ValueError("adapters begin on the SFT model; set reward.start_from to sft, or reward.tuning to full")
        return self


def train_reward(config: RewardConfig, stage: Stage) -> Mapping[str, float]:
    """Train on the `train` pairs of artifacts/label; measure on the validation and test pairs."""
    from stemma.training.held_out import read_pairs, require_better_than_chance, tell
    from stemma.training.reward import train_reward_model
    from stemma.training.reward_probe import probe_reward_model, tell_probes
    from stemma.training.slice_gate import metrics_past_the_gate

    train, held_out = read_pairs(stage)
    earlier = EARLIER if config.start_from == "earlier" else None
    if earlier:
        verify_manifest(earlier)
        stage.progress.say("goes on from the reward model of an earlier round")
    measured = train_reward_model(train, held_out, stage.input("sft"), stage.output, config, stage, earlier)
    tell(measured, stage)
    probes = probe_reward_model(stage.output, stage.input("data"), stage.machine, config.eval_batch_size)
    tell_probes(probes, stage)
    if config.must_beat_chance:
        require_better_than_chance(
            measured,
            "the reward model",
            "Look at the labels (artifacts/label/report.json: how often do annotators agree?) and at the training "
            "accuracy in the history; train longer, raise reward.learning_rate, or label more pairs. "
            "reward.must_beat_chance=false goes on all the same.",
        )
    return {"train/pairs": len(train), **metrics_past_the_gate(measured, probes, config, stage)}


if __name__ == "__main__":
    run_stage("reward", RewardConfig, train_reward)
