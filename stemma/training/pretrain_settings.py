"""The settings of pre-training: the model's shape, and how it learns."""

from pydantic import Field, model_validator

from stemma.config import Settings

LOGGING_STEPS = 10
"""Steps that one row of the history averages over."""


class PretrainSettings(Settings):
    """How a small model is pre-trained from nothing.

    The defaults give 1.1 M weights that know the default world's facts after 500 to 600 steps (seeds 0, 1 and 2).
    """

    vocab_size: int = Field(2048, ge=300)
    """Most tokens the tokenizer may have; a small corpus fills fewer."""
    context: int = Field(64, ge=8)
    """Most tokens the model can hold, prompt and answer together."""
    width: int = Field(192, ge=8)
    """Size of a token's hidden state."""
    layers: int = Field(2, ge=1)
    """Number of transformer blocks."""
    heads: int = Field(6, ge=1)
    """Attention heads in a block."""
    mlp_width: int = Field(512, ge=8)
    """Size of a block's hidden layer."""
    batch_size: int = Field(4, ge=1)
    """Rows of `context` tokens an optimizer step learns from; small, because facts take many steps, not many tokens."""
    learning_rate: float = Field(2.5e-3, gt=0)
    """Of AdamW after the warm-up; 4e-3 took half as many steps again."""
    warmup_steps: int = Field(100, ge=0)
    """Steps in which the learning rate rises from 0."""
    decay_steps: int = Field(700, ge=1)
    """Steps at the end in which the learning rate falls linearly to 0; with 200 the default world's seed 1 knew its
    facts, but no policy learned from it whom not to know."""
    max_steps: int = Field(4000, ge=1)
    """Steps after which training ends; without probe questions it takes exactly as many."""
    target_accuracy: float = Field(0.95, ge=0, le=1)
    """Share of the probe questions answered right at which the learning rate starts to fall."""
    probe_every: int = Field(50, ge=LOGGING_STEPS, multiple_of=LOGGING_STEPS)
    """Steps between looks at the probe questions."""
    weight_decay: float = Field(0.01, ge=0)
    """Decoupled weight decay (Loshchilov and Hutter 2019)."""
    max_grad_norm: float = Field(1.0, gt=0)
    """The gradient is scaled down to this norm where it is longer."""
    checkpoint_every: int = Field(200, ge=LOGGING_STEPS, multiple_of=LOGGING_STEPS)
    """Steps between step checkpoints; a killed run goes on from the newest."""

    @model_validator(mode="after")
    def _shape_is_possible(self) -> "PretrainSettings":
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width ({self.width}) must be a multiple of twice the heads ({self.heads}), "
                "because every head rotates its part of the hidden state in pairs"
            )
        return self

    @model_validator(mode="after")
    def _decay_fits(self) -> "PretrainSettings":
        if self.decay_steps >= self.max_steps:
            raise ValueError(f"decay_steps ({self.decay_steps}) must be less than max_steps ({self.max_steps})")
        return self
