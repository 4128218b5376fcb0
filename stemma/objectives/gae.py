"""Generalized advantage estimation (Schulman et al. 2015)."""

from typing import NamedTuple

import torch
from torch import Tensor

from stemma.objectives.masking import masked_var


class Advantages(NamedTuple):
    """Both (b, t), 0 under the padding."""

    advantages: Tensor
    """Â_t: how much better the token was than the value model expected; not whitened."""
    returns: Tensor
    """Â_t + V(s_t): what the value model learns to predict (the TD(λ) return)."""


def generalized_advantages(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> Advantages:
    """Estimate advantages; a response that ends, finished or not, is worth 0 afterwards.

    Shapes: all (b, t), every response starting at column 0. values[:, t] is V(s_t), of the prompt and the tokens before
    token t.
    """
    values = torch.where(mask, values, 0.0)
    rewards = torch.where(mask, rewards, 0.0)
    next_values = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    deltas = rewards + gamma * next_values - values  # δ_t of Schulman et al. 2017, eq. 12
    advantages = torch.zeros_like(deltas)
    following = torch.zeros_like(deltas[:, 0])
    for t in reversed(range(deltas.shape[1])):
        following = deltas[:, t] + gamma * lam * following  # Schulman et al. 2015, eq. 16, summed from the end
        advantages[:, t] = following
    return Advantages(advantages, advantages + values)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """1 − Var(returns − values) / Var(returns): 1 foresees all, 0 nothing, below 0 is worse than a constant.

    Shapes: all (b, t) → (). Returns that do not vary count as a variance of 1e-8.
    """
    return 1 - masked_var(returns - values, mask) / masked_var(returns, mask).clamp(min=1e-8)
