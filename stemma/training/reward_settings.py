"""The settings of a reward model's training."""

from pydantic import Field

from stemma.training.settings import TrainerSettings


class RewardSettings(TrainerSettings):
    """How a reward model is trained on comparisons."""

    learning_rate: float = Field(1e-3, gt=0)
    """Of AdamW at the first step; it falls linearly to 0. Suits 1 M weights; take 1e-5 for 0.5 B or more."""
    epochs: int = Field(3, ge=1)
    """Passes over the comparisons; with 2 the default world's reward model did not learn when not knowing is better."""
    center_coefficient: float = Field(0.01, ge=0)
    """Weight of the squared sum of a pair's scores, which keeps scores centred on 0 (Eisenstein et al. 2023, eq. 2)."""
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Chance that a plain label is wrong, as `label_smoothing` in artifacts/label/report.json has it; soft labels carry
    their own."""
    eval_batch_size: int = Field(256, ge=1)
    """Answers scored at once when training is done."""
    slices_must_beat_chance: bool = True
    """Stop the run where a slice of the held-out pairs is shown to be worse than a coin; else only warn. A slice that
    is merely not shown to be better is a warning in any case."""
    fewest_slice_pairs: int = Field(50, ge=1)
    """A slice with fewer held-out pairs than this is reported, and neither stops the run nor warns."""
