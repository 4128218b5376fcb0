"""The settings of DPO's training."""

from pydantic import Field

from stemma.training.settings import TrainerSettings


class DpoSettings(TrainerSettings):
    """How a policy is trained on comparisons without a reward model."""

    learning_rate: float = Field(2e-4, gt=0)
    """Of AdamW at the first step; it falls linearly to 0. Suits 1 M weights; take 5e-7 to 5e-6 for 0.5 B or more."""
    epochs: int = Field(2, ge=1)
    """Passes over the comparisons."""
    beta: float = Field(0.3, gt=0)
    """How strongly the policy is held to the reference; Rafailov et al. 2023 use 0.1 to 0.5."""
    sft_weight: float = Field(0.5, ge=0)
    """Weight of the chosen answers' negative log-likelihood, which keeps them likely (Pang et al. 2024, eq. 1). 0 is
    DPO as first published; on validation prompts 0.5 hallucinated less and refused more, greedily too."""
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Chance that a plain label is wrong, as `label_smoothing` in artifacts/label/report.json has it; soft labels carry
    their own."""
    eval_batch_size: int = Field(256, ge=1)
    """Answers read at once when training is done."""
