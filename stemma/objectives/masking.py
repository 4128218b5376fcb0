"""Means, variances and whitening over the tokens that count.

A mask (b, t) is bool: True at tokens that count, False at padding. What lies under the padding never enters a result,
not even NaN, and no result moves when padding is added. Every mask must keep at least one token.
"""

import torch
from torch import Tensor

EPSILON = 1e-8
"""Added to a variance before its root is divided by, so that equal values whiten to zeros."""


def masked_sum(values: Tensor, mask: Tensor, dim: int | None = None) -> Tensor:
    """Sum of the tokens that count, over everything or over one dimension."""
    kept = torch.where(mask, values, 0.0)
    return kept.sum() if dim is None else kept.sum(dim)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that count, all sequences together: values (b, t), mask (b, t) → ()."""
    return masked_sum(values, mask) / mask.sum()


def masked_var(values: Tensor, mask: Tensor) -> Tensor:
    """Variance over the tokens that count, divided by their number: values (b, t), mask (b, t) → ()."""
    return masked_mean((values - masked_mean(values, mask)).square(), mask)


def masked_whiten(values: Tensor, mask: Tensor) -> Tensor:
    """Shift and scale to mean 0 and variance 1 over the tokens that count; padding becomes 0: (b, t) → (b, t)."""
    whitened = (values - masked_mean(values, mask)) * torch.rsqrt(masked_var(values, mask) + EPSILON)
    return torch.where(mask, whitened, 0.0)
