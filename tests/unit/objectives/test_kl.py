import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor
from torch.testing import assert_close

from stemma.objectives.kl import kl_k1, kl_k3
from stemma.objectives.logprobs import token_logprobs


def test_by_hand() -> None:
    # π = 1/2, π_ref = 1/4: k1 = ln 2; π_ref/π = 1/2, so k3 = 1/2 − 1 + ln 2
    logprobs, ref_logprobs = tensor([[math.log(1 / 2)]]), tensor([[math.log(1 / 4)]])
    assert_close(kl_k1(logprobs, ref_logprobs), tensor([[math.log(2.0)]]))
    assert_close(kl_k3(logprobs, ref_logprobs), tensor([[math.log(2.0) - 0.5]]))


def test_equal_policies_are_at_distance_0() -> None:
    logprobs = tensor([[-0.1, -3.0]])
    assert_close(kl_k1(logprobs, logprobs), torch.zeros(1, 2), rtol=0, atol=0)
    assert_close(kl_k3(logprobs, logprobs), torch.zeros(1, 2), rtol=0, atol=0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_both_have_the_kl_as_their_expectation(seed: int) -> None:
    logits = torch.randn(2, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    policy, ref = torch.log_softmax(logits, -1)
    exact = (policy.exp() * (policy - ref)).sum()

    tokens = torch.arange(5).unsqueeze(1)  # every token once, weighted by its probability
    logprobs = token_logprobs(logits[0].expand(5, 1, 5), tokens)
    ref_logprobs = token_logprobs(logits[1].expand(5, 1, 5), tokens)
    weights = policy.exp().unsqueeze(1)
    assert_close((weights * kl_k1(logprobs, ref_logprobs)).sum(), exact)
    assert_close((weights * kl_k3(logprobs, ref_logprobs)).sum(), exact)
    assert (kl_k3(logprobs, ref_logprobs) >= 0).all()
