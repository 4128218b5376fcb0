"""The reward model: the SFT model learns to score answers from comparisons."""

from collections.abc import Mapping

from stemma.errors import DataError
from stemma.records.jsonl import read_rows
from stemma.records.types import Comparison
from stemma.stage.door import Stage, run_stage
from stemma.training.reward_settings import RewardSettings


class RewardConfig(RewardSettings):
    """How the reward model is trained, and when it is refused."""

    must_beat_chance: bool = True
    """Stop the run where held-out pairs do not show that the reward model is better than a coin."""


def train_reward(config: RewardConfig, stage: Stage) -> Mapping[str, float]:
    """Train on the `train` pairs of artifacts/label; measure on the validation and test pairs."""
    from stemma.training.held_out import as_metrics, held_out_of, require_better_than_chance, split_of
    from stemma.training.reward import train_reward_model

    path = stage.input("label") / "comparisons.jsonl"
    comparisons = read_rows(path, Comparison)
    train, held_out = split_of(comparisons, "train"), held_out_of(comparisons)
    if not train:
        raise DataError(f"{path} has no comparison of the train split, so there is nothing to learn from")
    stage.progress.say(f"{len(train)} pairs to learn from, {sum(map(len, held_out.values()))} held out")
    measured = train_reward_model(train, held_out, stage.input("sft"), stage.output, config, stage)
    for split, (accuracy, length) in measured.items():
        stage.progress.say(
            f"{split}: prefers the chosen answer in {accuracy.estimate:.1%} of {accuracy.n} pairs "
            f"({accuracy.low:.1%} to {accuracy.high:.1%}); length alone: {length.estimate:.1%}"
        )
    if config.must_beat_chance:
        require_better_than_chance(
            measured,
            "the reward model",
            "Look at the labels (artifacts/label/report.json: how often do annotators agree?) and at the training "
            "accuracy in the history; train longer, raise reward.learning_rate, or label more pairs. "
            "reward.must_beat_chance=false goes on all the same.",
        )
    return {"train/pairs": len(train), **as_metrics(measured)}


if __name__ == "__main__":
    run_stage("reward", RewardConfig, train_reward)
