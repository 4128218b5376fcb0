"""The settings that every trainer of TRL shares; each stage names its own defaults."""

from pydantic import Field, model_validator

from stemma.config import LoraConfig, Settings, Tuning
from stemma.errors import SettingsError

LOGGING_STEPS = 10
"""Steps that one row of the history averages over."""


class TrainerSettings(Settings):
    """How a model is trained with a trainer of TRL."""

    tuning: Tuning = "full"
    """Whether every weight is trained, or low-rank adapters over frozen weights."""
    lora: LoraConfig = LoraConfig()
    """The adapters, where `tuning` is `lora`."""
    learning_rate: float = Field(2e-5, gt=0)
    """Of AdamW at the first step; it falls linearly to 0 after the last."""
    epochs: int = Field(1, ge=1)
    """Passes over the training rows."""
    batch_size: int = Field(16, ge=1)
    """Rows an optimizer step learns from."""
    accumulation: int = Field(1, ge=1)
    """Forward passes that a batch is split into, for models whose whole batch does not fit the memory."""
    warmup_steps: int = Field(0, ge=0)
    """Steps in which the learning rate rises from 0."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay (Loshchilov and Hutter 2019)."""
    max_grad_norm: float = Field(1.0, gt=0)
    """The gradient is scaled down to this norm where it is longer."""
    gradient_checkpointing: bool = False
    """Whether activations are computed again in the backward pass: less memory, about a fifth more time."""
    checkpoint_every: int = Field(100, ge=LOGGING_STEPS, multiple_of=LOGGING_STEPS)
    """Steps between step checkpoints; a killed run goes on from the newest."""

    @model_validator(mode="after")
    def _batch_splits_evenly(self) -> "TrainerSettings":
        if self.batch_size % self.accumulation:
            raise ValueError(
                f"accumulation ({self.accumulation}) must divide batch_size ({self.batch_size}), so that every forward "
                "pass takes as many rows"
            )
        return self


def rows_a_forward(settings: TrainerSettings, name: str, processes: int) -> int:
    """Rows that each process learns from in one forward pass of a stage.

    Raises SettingsError where the processes cannot have as many each.
    """
    rows, left = divmod(settings.batch_size, settings.accumulation * processes)
    if left:
        raise SettingsError(
            f"{name}.batch_size ({settings.batch_size}) must be a multiple of {name}.accumulation "
            f"({settings.accumulation}) times machine.processes ({processes}), so that every process learns from as "
            "many rows; change one of them"
        )
    return rows
