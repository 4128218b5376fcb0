"""What every trainer of TRL is told, and how it is run: reporting, step checkpoints, resuming."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from stemma.errors import SettingsError
from stemma.stage.door import Stage
from stemma.stage.progress import Progress
from stemma.stage.steps import drop_cut_short, last_whole_checkpoint, mark_whole, step_of
from stemma.training.finite import require_finite
from stemma.training.settings import LOGGING_STEPS, TrainerSettings

EVERY_TRAINER = {"loss": "loss", "learning_rate": "learning_rate", "grad_norm": "grad_norm"}
"""Numbers that every trainer logs: its name for each, and ours."""


def arguments(settings: TrainerSettings, stage: Stage) -> dict[str, Any]:
    """The arguments that all trainers share; what their libraries would choose by the machine is set here instead.

    Raises SettingsError where several GPUs are visible: a stage runs on one, and the trainers would spread over all.
    """
    if stage.machine.device == "cuda" and torch.cuda.device_count() > 1:
        raise SettingsError("a stage runs on one GPU, and several are visible; name one, as in CUDA_VISIBLE_DEVICES=0")
    return {
        "output_dir": str(_steps_folder(stage)),
        "seed": stage.seed,
        "data_seed": stage.seed,
        "use_cpu": stage.machine.device == "cpu",
        "bf16": stage.machine.precision == "bf16",
        "learning_rate": settings.learning_rate,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": settings.batch_size // settings.accumulation,
        "gradient_accumulation_steps": settings.accumulation,
        "warmup_steps": settings.warmup_steps,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "activation_checkpointing": settings.gradient_checkpointing,
        "max_length": None,  # rows that do not fit are an error, never cut
        "logging_steps": LOGGING_STEPS,
        "logging_nan_inf_filter": False,  # it would show the last finite loss in place of a diverged one
        "save_strategy": "steps",
        "save_steps": settings.checkpoint_every,
        "save_total_limit": 2,
        "eval_strategy": "no",
        "remove_unused_columns": False,  # every column of our rows is read
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": stage.machine.device == "cuda",
    }


def train(trainer: Trainer, stage: Stage, names: Mapping[str, str]) -> None:
    """Train to the end, going on from the newest whole step checkpoint where a kill left one.

    `names` maps the trainer's own names of numbers to ours. Raises TrainingError where a number is not finite.
    """
    drop_cut_short(_steps_folder(stage))
    checkpoint = last_whole_checkpoint(_steps_folder(stage))
    stage.progress.resume_from(step_of(checkpoint) if checkpoint else 0)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Report(stage.progress, {**EVERY_TRAINER, **names}))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    require_finite(cast("nn.Module", trainer.model), stage.progress, trainer.state.global_step, trainer.state.max_steps)


def _steps_folder(stage: Stage) -> Path:
    return stage.scratch / "steps"


class _Report(TrainerCallback):
    """Tells the stage's progress what the trainer logs, and marks step checkpoints as whole."""

    def __init__(self, progress: Progress, names: Mapping[str, str]) -> None:
        self._progress = progress
        self._names = names

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002 (the trainer's protocol)
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        logs = logs or {}
        if "loss" in logs:
            known = {ours: logs[theirs] for theirs, ours in self._names.items() if theirs in logs}
            self._progress.log(state.global_step, state.max_steps, known)
            if state.global_step < state.max_steps and self._progress.wants_checkpoint():
                control.should_save = True

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **given: Any,
    ) -> None:
        require_finite(given["model"], self._progress, state.global_step, state.max_steps)
        mark_whole(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")
        self._progress.kept(state.global_step)
