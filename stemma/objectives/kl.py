"""Per-token estimates of KL(π ‖ π_ref) from the tokens that π sampled (Schulman 2020, joschu.net/blog/kl-approx.html).

k1 is what the rewards are charged: its sum over a response is exactly log π(y|x) − log π_ref(y|x), whose expectation is
the KL of the objective, so that the policy gradient of the charged reward is the gradient of that objective (Ziegler et
al. 2019, eq. 2). k3 has the same expectation, less variance and is never negative, but charging it would optimise
something else; it is there to be looked at. A k1 well below zero beside a large k3 means that the responses were not
sampled from the π whose log-probabilities these are.
"""

from torch import Tensor


def kl_k1(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """log π − log π_ref: unbiased, of either sign. Shapes: (b, t), (b, t) → (b, t)."""
    return logprobs - ref_logprobs


def kl_k3(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """π_ref/π − 1 − log(π_ref/π): unbiased and never negative. Shapes: (b, t), (b, t) → (b, t)."""
    log_ratio = ref_logprobs - logprobs
    return log_ratio.expm1() - log_ratio
