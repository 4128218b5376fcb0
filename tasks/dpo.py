"""DPO: the SFT model learns from comparisons directly, without a reward model."""

from collections.abc import Mapping

from stemma.errors import DataError
from stemma.records.jsonl import read_rows
from stemma.records.types import Comparison
from stemma.stage.door import Stage, run_stage
from stemma.training.dpo_settings import DpoSettings


class DpoConfig(DpoSettings):
    """How the policy is trained with DPO."""


def train_dpo(config: DpoConfig, stage: Stage) -> Mapping[str, float]:
    """Train on the `train` pairs of artifacts/label; measure on the validation and test pairs."""
    from stemma.training.dpo import train_with_dpo
    from stemma.training.held_out import as_metrics, held_out_of, split_of

    path = stage.input("label") / "comparisons.jsonl"
    comparisons = read_rows(path, Comparison)
    train, held_out = split_of(comparisons, "train"), held_out_of(comparisons)
    if not train:
        raise DataError(f"{path} has no comparison of the train split, so there is nothing to learn from")
    stage.progress.say(f"{len(train)} pairs to learn from, {sum(map(len, held_out.values()))} held out")
    measured = train_with_dpo(train, held_out, stage.input("sft"), config, stage)
    for split, (accuracy, _) in measured.items():
        stage.progress.say(
            f"{split}: prefers the chosen answer in {accuracy.estimate:.1%} of {accuracy.n} pairs "
            f"({accuracy.low:.1%} to {accuracy.high:.1%})"
        )
    return {"train/pairs": len(train), **as_metrics(measured)}


if __name__ == "__main__":
    run_stage("dpo", DpoConfig, train_dpo)
