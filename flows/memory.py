"""Out of memory: fewer rows in a forward pass, and as many as before in an optimizer step."""

from typing import Any

from flows.settings import FlowSettings, stage_values
from stemma.config import Settings
from stemma.training.ppo_settings import PpoSettings
from stemma.training.settings import TrainerSettings


def with_less_at_once(settings: FlowSettings, section: str) -> tuple[FlowSettings, str] | None:
    """The settings with half as many rows in a forward pass of a stage that trains, or the next fewer that split its
    batch evenly, and what changed, in words; None where there is nothing left to halve.
    """
    stage: Settings = getattr(settings, section)
    changes = _changes(stage, int(stage_values(settings)["machine"].get("processes", 1)))
    if not changes:
        return None
    words = ", ".join(f"{section}.{key} {getattr(stage, key)} → {value}" for key, value in changes.items())
    return settings.model_copy(update={section: stage.model_copy(update=changes)}), words


def remedy(settings: FlowSettings, section: str) -> str:
    """What a person can do where nothing is left to halve."""
    stage = getattr(settings, section)
    if isinstance(stage, PpoSettings):
        return (
            "One row in a forward pass did not help, and sampling takes all prompts at once: lower "
            f"{section}.rollouts, {section}.watch.prompts or {section}.max_new_tokens, take a smaller model, "
            f"{section}.tuning=lora, or a machine with more memory."
        )
    if isinstance(stage, TrainerSettings):
        return (
            "It does not fit with one row in a forward pass either: take a smaller model, "
            f"{section}.tuning=lora, {section}.gradient_checkpointing=true, or a machine with more memory."
        )
    if "batch_size" in type(stage).model_fields:
        return f"Lower {section}.batch_size, or take a machine with more memory."
    return "Take a machine with more memory."


def _changes(stage: Settings, processes: int) -> dict[str, Any]:
    if isinstance(stage, PpoSettings):
        return {"micro_batch_size": stage.micro_batch_size // 2} if stage.micro_batch_size > 1 else {}
    if not isinstance(stage, TrainerSettings):
        return {}
    splits = range(2 * stage.accumulation, stage.batch_size // processes + 1)
    finer = next((split for split in splits if stage.batch_size % (split * processes) == 0), None)
    if finer is None:
        return {}
    # Answers are read at once when training is done, and nobody knows which of both was too much.
    at_once = getattr(stage, "eval_batch_size", 1) // 2
    return {"accumulation": finer, **({"eval_batch_size": at_once} if at_once else {})}
