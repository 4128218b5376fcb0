"""Supervised fine-tuning: imitate demonstrations, with TRL's SFTTrainer."""

from collections.abc import Sequence
from pathlib import Path

from datasets.arrow_dataset import Dataset
from peft import PeftModel
from transformers import PreTrainedModel
from trl.trainer.sft_config import SFTConfig as SftArguments
from trl.trainer.sft_trainer import SFTTrainer

from stemma.models.policy import context_of, save_policy, trainable_policy
from stemma.models.seeding import seed_everything
from stemma.models.tokenizer import load_tokenizer
from stemma.records.types import Demonstration
from stemma.stage.door import Stage
from stemma.training.encoding import Turns, encode_demonstrations
from stemma.training.settings import TrainerSettings
from stemma.training.trainer import arguments, train

NAMES = {"mean_token_accuracy": "token_accuracy", "entropy": "entropy"}


def train_on_demonstrations(
    demonstrations: Sequence[Demonstration], policy_folder: Path, settings: TrainerSettings, turns: Turns, stage: Stage
) -> None:
    """Train the policy in a folder on the assistant turns of demonstrations and save it as the stage's output.

    Raises DataError where a demonstration does not fit the context, TrainingError where training diverges.
    """
    seed_everything(stage.seed, stage.machine.threads)
    tokenizer = load_tokenizer(policy_folder)

    def build() -> PreTrainedModel | PeftModel:
        return trainable_policy(policy_folder, stage.machine, settings.tuning, settings.lora)

    policy = build()
    rows = encode_demonstrations(tokenizer, demonstrations, context_of(policy), turns)
    trainer = SFTTrainer(
        model=policy,
        args=SftArguments(**arguments(settings, stage), dataset_kwargs={"skip_prepare_dataset": True}),
        train_dataset=Dataset.from_dict(rows),
        processing_class=tokenizer,
    )
    policy = train(trainer, stage, NAMES, build)
    save_policy(policy, tokenizer, stage.output, policy_folder)
