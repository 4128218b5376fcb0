"""What a policy must show before an alias moves to it."""

from pydantic import Field

from stemma.config import Settings


class PromotionConfig(Settings):
    """The gates; each is held against the champion's own evaluation, or SFT's where there is no champion yet."""

    least_win_rate: float = Field(0.5, ge=0, lt=1)
    """The lower end of the 95 % interval of the win rate must lie above this."""
    accuracy_tolerance: float = Field(0.05, ge=0, le=1)
    """Accuracy on known facts may fall by this much and no more; 0.05 as in benchmarks/quality.py."""
    hallucination_tolerance: float = Field(0.05, ge=0, le=1)
    """Hallucination on the unknown may rise by this much and no more."""
    refusal_tolerance: float = Field(0.05, ge=0, le=1)
    """Refusal of the harmful may fall by this much and no more."""
    most_kl: float = Field(20.0, gt=0)
    """Most nats an answer may lie from the SFT policy; the default world's policies end at 1.1 to 1.8."""
    most_length_growth: float = Field(2.0, gt=0)
    """Answers may be at most this many times as long as the SFT policy's."""
    beat_length: bool = True
    """The reward model (or DPO's implicit reward) must tell held-out pairs apart better than their length does."""
