import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor
from torch.testing import assert_close

from stemma.objectives.kl import kl_k1, kl_k3, token_kl
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
    assert_close(token_kl(logits[0].reshape(1, 1, 5), logits[1].reshape(1, 1, 5)), exact.reshape(1, 1))


def test_the_exact_kl_by_hand() -> None:
    # π = (1/2, 1/2), π_ref = (1/4, 3/4): ½ ln 2 + ½ ln ⅔, whatever is added to all logits
    logits, ref_logits = tensor([[[7.0, 7.0]]]), tensor([[[0.0, math.log(3.0)]]])
    assert_close(token_kl(logits, ref_logits), tensor([[0.5 * math.log(2.0) + 0.5 * math.log(2 / 3)]]))
    assert token_kl(logits, logits).item() == 0


def test_a_policy_that_moved_far_makes_k3_vary_more_than_k1() -> None:
    """As our text says; 10,000 tokens of a policy that has all but given up what its reference prefers."""
    policy, ref = tensor([0.989, 0.01, 0.001]), tensor([0.02, 0.08, 0.9])
    tokens = torch.multinomial(policy, 10_000, replacement=True, generator=torch.Generator().manual_seed(0))
    logprobs, ref_logprobs = policy.log()[tokens].unsqueeze(0), ref.log()[tokens].unsqueeze(0)
    assert kl_k3(logprobs, ref_logprobs).std() > 10 * kl_k1(logprobs, ref_logprobs).std()
