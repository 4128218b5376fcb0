"""Reward models: a scalar head on a policy's trunk learns which answer people prefer, with TRL's RewardTrainer.

The loss is −log σ(score(chosen) − score(rejected)) (Ouyang et al. 2022, eq. 1), plus a small square of the two scores'
sum, which keeps scores centred on 0. A soft label's loss is the mean over both ways it may be, by their chances.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from datasets.arrow_dataset import Dataset
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl.trainer.reward_config import RewardConfig as RewardArguments
from trl.trainer.reward_trainer import RewardTrainer

from stemma.models.policy import context_of
from stemma.models.scalar import (
    load_scalar_model,
    save_scalar_model,
    scalar_model_to_go_on,
    trainable_scalar_model,
)
from stemma.models.scoring import score_rows
from stemma.models.seeding import seed_everything
from stemma.models.tokenizer import check_same_tokens, load_tokenizer
from stemma.objectives.preference import preference_loss
from stemma.records.json_file import write_json
from stemma.records.types import Comparison, Split
from stemma.stage.door import Stage
from stemma.training.encoding import Pairs, encode_pairs
from stemma.training.held_out import HeldOut, measure
from stemma.training.reward_settings import RewardSettings
from stemma.training.soft_labels import TARGET, soft_columns, split_off, with_soft_columns
from stemma.training.trainer import arguments, train

NAMES = {"accuracy": "accuracy", "margin": "margin", "mean_reward": "mean_score"}
SCALING = "scaling.json"


class _SoftRewardTrainer(RewardTrainer):
    """Takes soft labels and weights where the rows have them, and is RewardTrainer where they do not."""

    def __init__(self, center_coefficient: float, **given: Any) -> None:
        super().__init__(**given)
        self._center_coefficient = center_coefficient
        self.data_collator = with_soft_columns(self.data_collator)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if TARGET not in inputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[no-untyped-call]
        batch, targets, weights = split_off(inputs)
        _, outputs = super().compute_loss(model, batch, return_outputs=True)  # type: ignore[no-untyped-call]
        chosen, rejected = outputs.logits.squeeze(-1).chunk(2)
        by_row = preference_loss(chosen - rejected, targets) + self._center_coefficient * (chosen + rejected) ** 2
        loss = (weights * by_row).mean()
        return (loss, outputs) if return_outputs else loss


def train_reward_model(
    comparisons: Sequence[Comparison],
    held_out: Mapping[Split, Sequence[Comparison]],
    policy_folder: Path,
    output: Path,
    settings: RewardSettings,
    stage: Stage,
    earlier: Path | None = None,
) -> dict[Split, HeldOut]:
    """Train a reward model from the policy in a folder, save it with its scaling, and measure it on held-out pairs.

    With `earlier`, the folder of a reward model, training goes on from that one, whole.
    scaling.json holds the mean and standard deviation of its scores of the training pairs' answers.
    Raises DataError where a comparison does not fit the context, TrainingError where training diverges, ArtifactError
    where the earlier reward model reads other tokens than the policy.
    """
    seed_everything(stage.seed, stage.machine.threads)
    tokenizer = load_tokenizer(policy_folder)
    model = _fit(lambda: _begin(policy_folder, settings, stage, earlier), comparisons, tokenizer, settings, stage)
    save_scalar_model(model, tokenizer, output, policy_folder)
    context = context_of(model)
    del model  # its memory, and the trainer's, is free again

    trained = load_scalar_model(output, stage.machine)  # as the stages after this one see it
    pairs = encode_pairs(tokenizer, comparisons, context)
    _write_scaling(output, _scores(trained, pairs, settings.eval_batch_size))
    measured = {}
    for split, rows in held_out.items():
        scores = _scores(trained, encode_pairs(tokenizer, rows, context), settings.eval_batch_size)
        measured[split] = measure(comparisons, rows, *scores)
    return measured


def _begin(
    policy_folder: Path, settings: RewardSettings, stage: Stage, earlier: Path | None
) -> PreTrainedModel | PeftModel:
    if earlier is None:
        return trainable_scalar_model(policy_folder, stage.machine, settings.tuning, settings.lora)
    check_same_tokens(policy_folder, earlier)
    return scalar_model_to_go_on(earlier, stage.machine)


def _fit(
    build: Callable[[], PreTrainedModel | PeftModel],
    comparisons: Sequence[Comparison],
    tokenizer: PreTrainedTokenizerBase,
    settings: RewardSettings,
    stage: Stage,
) -> PreTrainedModel | PeftModel:
    """Build and train the model; the trainer's memory is free again when this returns."""
    model = build()
    pairs = encode_pairs(tokenizer, comparisons, context_of(model))
    centering = settings.center_coefficient or None
    trainer = _SoftRewardTrainer(
        center_coefficient=settings.center_coefficient,
        model=model,
        args=RewardArguments(**arguments(settings, stage), center_rewards_coefficient=centering),
        train_dataset=Dataset.from_dict(
            {
                "chosen_ids": pairs.whole_chosen,
                "rejected_ids": pairs.whole_rejected,
                **soft_columns(comparisons, settings.label_smoothing),
            }
        ),
        processing_class=tokenizer,
    )
    return train(trainer, stage, NAMES, build)


def _scores(model: PreTrainedModel, pairs: Pairs, batch_size: int) -> tuple[list[float], list[float]]:
    return score_rows(model, pairs.whole_chosen, batch_size), score_rows(model, pairs.whole_rejected, batch_size)


def _write_scaling(output: Path, scores: tuple[list[float], list[float]]) -> None:
    chosen, rejected = scores
    write_json(output / SCALING, {"mean": fmean(chosen + rejected), "std": pstdev(chosen + rejected)})
