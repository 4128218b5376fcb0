"""The clipped losses of PPO (Schulman et al. 2017).

Left out: an entropy bonus and early stopping on KL. The distance to the reference is charged in the rewards, not here.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from stemma.objectives.kl import kl_k3
from stemma.objectives.masking import masked_mean


class PolicyLoss(NamedTuple):
    """All ()."""

    loss: Tensor
    clip_fraction: Tensor
    """Share of tokens whose gradient the clip switched off."""
    approx_kl: Tensor
    """KL(old policy ‖ policy) in nats a token, estimated by k3."""


class ValueLoss(NamedTuple):
    """Both ()."""

    loss: Tensor
    clip_fraction: Tensor
    """Share of tokens whose gradient the clip switched off."""


def policy_loss(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, mask: Tensor, clip_range: float
) -> PolicyLoss:
    """−L^CLIP, a mean over tokens. Shapes: all (b, t); old_logprobs and advantages carry no gradient."""
    log_ratio = torch.where(mask, logprobs - old_logprobs, 0.0)
    ratio = log_ratio.exp()  # r_t(θ) of Schulman et al. 2017, eq. 6
    unclipped = -ratio * advantages
    clipped = -ratio.clamp(1 - clip_range, 1 + clip_range) * advantages
    return PolicyLoss(
        loss=masked_mean(torch.max(unclipped, clipped), mask),  # Schulman et al. 2017, eq. 7
        clip_fraction=masked_mean((clipped > unclipped).to(ratio.dtype), mask),
        approx_kl=masked_mean(kl_k3(old_logprobs, logprobs), mask).detach(),
    )


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, clip_range: float) -> ValueLoss:
    """½ max((V − R)², (clip(V) − R)²), a mean over tokens; clip(V) stays within clip_range of the old value.

    Shapes: all (b, t); old_values and returns carry no gradient. Source: OpenAI baselines, ppo2/model.py, which the
    reference implementation of Ziegler et al. 2019 follows; Schulman et al. 2017 leave the value loss unclipped.
    """
    values = torch.where(mask, values, 0.0)
    held = values.clamp(old_values - clip_range, old_values + clip_range)
    unclipped = (values - returns).square()
    clipped = (held - returns).square()
    return ValueLoss(
        loss=0.5 * masked_mean(torch.max(unclipped, clipped), mask),
        clip_fraction=masked_mean((clipped > unclipped).to(values.dtype), mask),
    )
