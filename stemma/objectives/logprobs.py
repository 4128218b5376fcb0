"""Log-probabilities of tokens and of whole sequences, in nats."""

import torch
from torch import Tensor

from stemma.objectives.masking import masked_sum


def token_logprobs(logits: Tensor, labels: Tensor) -> Tensor:
    """log π(label | what comes before it), per token.

    Shapes: logits (b, t, vocabulary), already at the position that predicts each label; labels (b, t) → (b, t).
    """
    chosen = logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return chosen - torch.logsumexp(logits, dim=-1)


def sequence_logps(logprobs: Tensor, mask: Tensor) -> Tensor:
    """log π(response | prompt): the sum over the response's tokens. Shapes: (b, t), (b, t) → (b,)."""
    return masked_sum(logprobs, mask, dim=-1)


def token_entropies(logits: Tensor) -> Tensor:
    """−Σ_v π(v) log π(v) of each position's distribution, in nats. Shapes: (b, t, vocabulary) → (b, t)."""
    logprobs = torch.log_softmax(logits, dim=-1)
    return -(logprobs.exp() * logprobs).sum(-1)
