"""From one score a response to one reward a token (Ziegler et al. 2019, eq. 2; Ouyang et al. 2022, eq. 2)."""

import torch
from torch import Tensor

from stemma.objectives.kl import kl_k1


def charge_missing_eos(scores: Tensor, finished: Tensor, penalty: float) -> Tensor:
    """Subtract the penalty from the score of every response that did not end. Shapes: (b,), bool (b,) → (b,)."""
    return torch.where(finished, scores, scores - penalty)


def token_rewards(scores: Tensor, logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor, kl_coef: float) -> Tensor:
    """Charge the KL at every token and pay the score at the last one.

    Shapes: scores (b,); logprobs, ref_logprobs and mask (b, t), every response starting at column 0 → (b, t), 0 under
    the padding.
    """
    charged = torch.where(mask, -kl_coef * kl_k1(logprobs, ref_logprobs), 0.0)
    last = mask.sum(-1, keepdim=True) - 1
    return charged.scatter_add(-1, last, scores.unsqueeze(-1).to(charged.dtype))
