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
    slices_must_beat_chance: bool = True
    """Stop the run where a slice of the held-out pairs is shown to be worse than a coin, or a probe to miss its share;
    else only warn. A slice that is merely not shown to be better is a warning in any case."""
    least_probe_share: float = Field(0.8, ge=0, le=1)
    """Default world: on this share of prompts the best answer must score above every constructed worse one. It is more
    than chance, for PPO looks for the prompts on which a worse answer pays, and then gives that answer to others."""

    @model_validator(mode="after")
    def _goes_on_whole(self) -> "RewardConfig":
        if self.start_from == "earlier" and self.tuning == "lora":
            raise ValueError("adapters begin on the SFT model; set reward.start_from to sft, or reward.tuning to full")
        return self


def train_reward(config: RewardConfig, stage: Stage) -> Mapping[str, float]:
    """Train on the `train` pairs of artifacts/label; measure on the validation and test pairs."""
    from stemma.evaluation.slices import Bar
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
    bars = {kind: Bar(accuracy, config.least_probe_share) for kind, accuracy in probes.items()}
    past_the_gate = metrics_past_the_gate(
        measured,
        bars,
        config,
        stage,
        remedy="Label more pairs of that slice, sample more answers a prompt (sample.responses) so that rare answers "
        "are compared, or raise reward.epochs.",
        consequence="A policy trained on it would learn the worse answers there.",
    )
    return {"train/pairs": len(train), **past_the_gate}


if __name__ == "__main__":
    run_stage("reward", RewardConfig, train_reward)
