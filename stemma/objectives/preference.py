"""Losses of preferences that are known with a probability, a row each."""

from torch import Tensor
from torch.nn.functional import logsigmoid


def preference_loss(margins: Tensor, targets: Tensor) -> Tensor:
    """−[p · log σ(Δ) + (1 − p) · log σ(−Δ)], the cross entropy of a Bradley-Terry preference. Shapes: all (b,).

    `margins` Δ are by how much the chosen answer is ahead: of its score for a reward model (Ouyang et al. 2022, eq. 1,
    where p = 1), or of its implicit reward for DPO (Rafailov et al. 2023, eq. 7; Mitchell 2023, "A note on DPO with
    noisy preferences", eq. 3). `targets` p are the chance that it is the better one.
    """
    return -(targets * logsigmoid(margins) + (1 - targets) * logsigmoid(-margins))


def imitation_loss(logprobs: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
    """The chosen answers' negative log-likelihood, a mean over all tokens of the batch, given out to its rows.

    The mean over rows of what is returned is the token mean where p = 1 (Pang et al. 2024, eq. 1, weighed by tokens).
    An answer counts by 2p − 1: not at all where either may as well be the better one. Shapes: logprobs and mask (b, t)
    at the chosen answers' tokens, targets (b,) → (b,).
    """
    by_row = -logprobs.masked_fill(~mask, 0.0).sum(dim=1)
    return (2 * targets - 1) * by_row * len(by_row) / mask.sum()
