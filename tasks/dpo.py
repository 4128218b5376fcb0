"""DPO: the SFT model learns from comparisons directly, without a reward model."""

from collections.abc import Mapping

from stemma.stage.door import Stage, run_stage
from stemma.training.dpo_settings import DpoSettings


class DpoConfig(DpoSettings):
    """How the policy is trained with DPO."""


def train_dpo(config: DpoConfig, stage: Stage) -> Mapping[str, float]:
    """Train on the `train` pairs of artifacts/label; measure on the validation and test pairs."""
    from stemma.training.dpo import train_with_dpo
    from stemma.training.held_out import as_metrics, read_pairs, tell

    train, held_out = read_pairs(stage)
    measured = train_with_dpo(train, held_out, stage.input("sft"), config, stage)
    tell(measured, stage)
    return {"train/pairs": len(train), **as_metrics(measured)}


if __name__ == "__main__":
    run_stage("dpo", DpoConfig, train_dpo)
