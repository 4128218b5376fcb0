"""What every trainer of TRL is told, and how it is run: reporting, step checkpoints, resuming."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

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
from stemma.stage.rank import first_goes_on_alone, is_first, wait_for_all
from stemma.stage.steps import drop_cut_short, last_whole_checkpoint, mark_whole, step_of
from stemma.training.among_ranks import as_first_says
from stemma.training.finite import require_finite
from stemma.training.settings import LOGGING_STEPS, TrainerSettings, rows_a_forward
from stemma.training.sharding import gathered_weights, sharded_arguments
from stemma.training.trained_weights import copy_weights

M = TypeVar("M", bound=nn.Module)

EVERY_TRAINER = {"loss": "loss", "learning_rate": "learning_rate", "grad_norm": "grad_norm"}
"""Numbers that every trainer logs: its name for each, and ours."""


def arguments(settings: TrainerSettings, stage: Stage) -> dict[str, Any]:
    """The arguments that all trainers share; what their libraries would choose by the machine is set here instead.

    Raises SettingsError where the batch does not divide among the processes, or where a process sees several GPUs: it
    trains on one, and the trainers would spread over all.
    """
    if stage.machine.device == "cuda" and torch.cuda.device_count() > 1:
        raise SettingsError(
            "machine.processes is 1, and several GPUs are visible; raise it, or name one GPU, as in "
            "CUDA_VISIBLE_DEVICES=0"
        )
    return {
        "output_dir": str(_steps_folder(stage)),
        "seed": stage.seed,
        "data_seed": stage.seed,
        "use_cpu": stage.machine.device == "cpu",
        "bf16": stage.machine.precision == "bf16",
        "learning_rate": settings.learning_rate,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": rows_a_forward(settings, stage.name, stage.machine.processes),
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
        **sharded_arguments(stage.machine),
    }


def train(trainer: Trainer, stage: Stage, names: Mapping[str, str], build: Callable[[], M]) -> M:
    """Train to the end, going on from the newest whole step checkpoint where a kill left one; return the trained model.

    `names` maps the trainer's own names of numbers to ours; `build` makes the model as it was before training, to hold
    the weights that were divided among ranks. Only the first rank returns: the others end here. Raises TrainingError
    where a number is not finite.
    """
    steps = _steps_folder(stage)
    if is_first():
        drop_cut_short(steps)
    checkpoint = last_whole_checkpoint(steps)
    stage.progress.resume_from(step_of(checkpoint) if checkpoint else 0)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Report(stage.progress, {**EVERY_TRAINER, **names}))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trained = cast("nn.Module", trainer.model)
    require_finite(trained, stage.progress, trainer.state.global_step, trainer.state.max_steps)
    if stage.machine.sharding == "none":
        first_goes_on_alone()
        return cast("M", trained)
    weights = gathered_weights(trained)
    first_goes_on_alone()
    whole = build()
    copy_weights(whole, weights)
    return whole


def _steps_folder(stage: Stage) -> Path:
    return stage.scratch / "steps"


class _Report(TrainerCallback):
    """Tells the stage's progress what the trainer logs, and marks step checkpoints as whole."""

    def __init__(self, progress: Progress, names: Mapping[str, str]) -> None:
        self._progress = progress
        self._names = names

    def on_train_begin(
        self,
        args: TrainingArguments,  # noqa: ARG002 (the trainer's protocol)
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **_: Any,
    ) -> None:
        self._progress.at(state.global_step, state.max_steps)

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **_: Any,
    ) -> None:
        self._progress.at(state.global_step, state.max_steps)

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
            # Here only: a row is a mean over the steps since the row before, which a resumed trainer does not know.
            if as_first_says(self._progress.wants_checkpoint()) and state.global_step < state.max_steps:
                control.should_save = True

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **given: Any,
    ) -> None:
        require_finite(given["model"], self._progress, state.global_step, state.max_steps)
        wait_for_all()  # each rank writes a part of it
        if is_first():
            mark_whole(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")
        wait_for_all()
        self._progress.kept(state.global_step)
