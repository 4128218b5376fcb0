"""Direct preference optimization (Rafailov et al. 2023, eq. 7), with TRL's DPOTrainer.

The reference's log-probabilities are computed once before training, so no second model is held meanwhile. A soft
label's loss is the mean over both ways it may be, by their chances (Mitchell 2023, "A note on DPO with noisy
preferences", eq. 3).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets.arrow_dataset import Dataset
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel
from trl.trainer.dpo_config import DPOConfig as DpoArguments
from trl.trainer.dpo_trainer import DPOTrainer

from stemma.models.adapters import peft_config
from stemma.models.policy import context_of, for_use, policy_to_train, save_policy, trainable_policy
from stemma.models.seeding import seed_everything
from stemma.models.tokenizer import load_tokenizer
from stemma.objectives.preference import imitation_loss, preference_loss
from stemma.records.types import Comparison, Split
from stemma.stage.door import Stage
from stemma.stage.rank import ranks
from stemma.training.among_ranks import all_rows, own_rows
from stemma.training.answer_logps import answer_logps
from stemma.training.dpo_settings import DpoSettings
from stemma.training.encoding import Pairs, encode_pairs
from stemma.training.held_out import HeldOut, measure
from stemma.training.soft_labels import TARGET, soft_columns, split_off, with_soft_columns
from stemma.training.trainer import arguments, train

NAMES = {
    name: name
    for name in (
        "rewards/chosen",
        "rewards/rejected",
        "rewards/margins",
        "rewards/accuracies",
        "logps/chosen",
        "logps/rejected",
    )
}


REFERENCE = ("ref_chosen_logps", "ref_rejected_logps")
"""TRL's names of the reference's log-probabilities, as columns."""


class _EncodedTrainer(DPOTrainer):
    """Takes rows that are token ids already, so that prompts and answers are encoded here as in every other stage.

    It takes soft labels and weights where the rows have them, and is DPOTrainer where they do not.
    """

    def __init__(self, sft_weight: float, **given: Any) -> None:
        super().__init__(**given)
        self._sft_weight = sft_weight
        self.data_collator = with_soft_columns(self.data_collator)

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:  # type: ignore[override]
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        if REFERENCE[0] in dataset.column_names:
            return dataset
        return super()._precompute_ref_logps(dataset, name, batch_size)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if TARGET not in inputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[no-untyped-call]
        batch, targets, weights = split_off(inputs)
        passes: list[Any] = []

        def forward(**given: Any) -> Any:
            passes.append(model(**given))
            return passes[-1]

        super().compute_loss(forward, batch)  # type: ignore[no-untyped-call]
        loss = self._soft_loss(passes[0].log_probs, batch, targets, weights)
        return (loss, passes[0]) if return_outputs else loss

    def _soft_loss(self, logprobs: Tensor, batch: dict[str, Tensor], targets: Tensor, weights: Tensor) -> Tensor:
        chosen, rejected = logprobs.sum(dim=1).chunk(2)
        margins = (chosen - batch["ref_chosen_logps"]) - (rejected - batch["ref_rejected_logps"])
        loss = preference_loss(self.beta * margins, targets)
        if self._sft_weight:
            answers, _ = logprobs.chunk(2)
            mask, _ = batch["completion_mask"][:, 1:].bool().chunk(2)
            loss = loss + self._sft_weight * imitation_loss(answers, mask, targets)
        return (weights * loss).mean()


def train_with_dpo(
    comparisons: Sequence[Comparison],
    held_out: Mapping[Split, Sequence[Comparison]],
    policy_folder: Path,
    settings: DpoSettings,
    stage: Stage,
) -> dict[Split, HeldOut]:
    """Train the policy in a folder on comparisons, save it as the stage's output, and measure it on held-out pairs.

    A held-out pair's scores are the implicit rewards β·(log π(answer) − log π_ref(answer)).
    Raises DataError where a comparison does not fit the context, TrainingError where training diverges.
    """
    seed_everything(stage.seed, stage.machine.threads)
    tokenizer = load_tokenizer(policy_folder)
    plain = policy_to_train(policy_folder, stage.machine, settings.tuning)
    policy: PreTrainedModel | PeftModel = plain
    context, size = context_of(policy), settings.eval_batch_size
    pairs = encode_pairs(tokenizer, comparisons, context)
    encoded = {split: encode_pairs(tokenizer, rows, context) for split, rows in held_out.items()}
    reference = {split: _logps(policy, rows, size) for split, rows in encoded.items()}
    trainer = _EncodedTrainer(
        sft_weight=settings.sft_weight,
        model=policy,
        args=DpoArguments(**arguments(settings, stage), **_loss(settings), precompute_ref_log_probs=True),
        train_dataset=Dataset.from_dict(
            {
                "prompt_ids": pairs.prompts,
                "chosen_ids": pairs.chosen,
                "rejected_ids": pairs.rejected,
                **soft_columns(comparisons, settings.label_smoothing),
                **(_reference_columns(plain, pairs, size) if ranks() > 1 else {}),
            }
        ),
        processing_class=tokenizer,
        peft_config=peft_config(settings.lora, "CAUSAL_LM") if settings.tuning == "lora" else None,
    )
    policy = for_use(
        train(
            trainer,
            stage,
            NAMES,
            lambda: trainable_policy(policy_folder, stage.machine, settings.tuning, settings.lora),
        )
    )
    save_policy(policy, tokenizer, stage.output, policy_folder)
    return {
        split: measure(comparisons, held_out[split], *_implicit_rewards(_logps(policy, rows, size), reference[split]))
        for split, rows in encoded.items()
    }


def _loss(settings: DpoSettings) -> dict[str, Any]:
    if not settings.sft_weight:
        return {"beta": settings.beta, "loss_type": ["sigmoid"]}
    return {
        "beta": settings.beta,
        "loss_type": ["sigmoid", "sft"],
        "loss_weights": [1.0, settings.sft_weight],
    }


Logps = tuple[list[float], list[float]]
"""Of chosen and rejected answers, in nats."""


def _logps(policy: PreTrainedModel | PeftModel, pairs: Pairs, batch_size: int) -> Logps:
    chosen = answer_logps(policy, pairs.prompts, pairs.chosen, batch_size)
    return chosen, answer_logps(policy, pairs.prompts, pairs.rejected, batch_size)


def _reference_columns(policy: PreTrainedModel, pairs: Pairs, batch_size: int) -> dict[str, list[float]]:
    """What TRL adds to the rows by itself in one process; several would look for it in a file that one of them has."""
    rows = own_rows(len(pairs.prompts))
    own = Pairs(*([column[i] for i in rows] for column in pairs))
    return {name: all_rows(logps) for name, logps in zip(REFERENCE, _logps(policy, own, batch_size), strict=True)}


def _implicit_rewards(policy: Logps, reference: Logps) -> Logps:
    chosen, rejected = (
        [ours - theirs for ours, theirs in zip(new, old, strict=True)]
        for new, old in zip(policy, reference, strict=True)
    )
    return chosen, rejected
