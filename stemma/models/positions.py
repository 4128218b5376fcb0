"""Positions of tokens in padded rows."""

from torch import Tensor


def position_ids(attention_mask: Tensor) -> Tensor:
    """Count each row's positions from its first unmasked token; padding before it stands at 0.

    Without this a row padded on the left would be read as if it began late. Shapes: (b, t) → (b, t).
    """
    return (attention_mask.long().cumsum(dim=1) - 1).clamp(min=0)
