"""KL(π ‖ π_ref) a token: exact, or estimated from sampled tokens (Schulman 2020, joschu.net/blog/kl-approx.html).

k1 is what the rewards are charged: its sum over a response is exactly log π(y|x) − log π_ref(y|x), whose expectation is
the KL of the objective, so that the policy gradient of the charged reward is the gradient of that objective (Ziegler et
al. 2019, eq. 2). k3 has the same expectation and is never negative, but charging it would optimise something else.
Near the reference it varies less than k1; once the policy has moved it varies far more, because a few tokens whose
π_ref/π is large make up most of it. What is looked at is the exact KL of each position's two distributions: its sum
over a response has the same expectation as k1's, without the chance of which token was drawn there.
"""

import torch
from torch import Tensor


def kl_k1(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """log π − log π_ref: unbiased, of either sign. Shapes: (b, t), (b, t) → (b, t)."""
    return logprobs - ref_logprobs


def kl_k3(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """π_ref/π − 1 − log(π_ref/π): unbiased and never negative. Shapes: (b, t), (b, t) → (b, t)."""
    log_ratio = ref_logprobs - logprobs
    return log_ratio.expm1() - log_ratio


def token_kl(logits: Tensor, ref_logits: Tensor) -> Tensor:
    """Σ_v π(v) (log π(v) − log π_ref(v)) of each position's distributions, in nats; below 0 only by rounding.

    Shapes: (b, t, vocabulary), (b, t, vocabulary) → (b, t).
    """
    expected = (logits.softmax(dim=-1) * (logits - ref_logits)).sum(-1)
    return expected - torch.logsumexp(logits, dim=-1) + torch.logsumexp(ref_logits, dim=-1)
