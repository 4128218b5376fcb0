import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor
from torch.testing import assert_close

from stemma.objectives.preference import imitation_loss, preference_loss

margins = st.floats(-20, 20)
chances = st.floats(0.5, 1)


def test_preference_by_hand() -> None:
    # σ(ln 3) = 3/4: −[1 · ln ¾], −[0.8 ln ¾ + 0.2 ln ¼], −[½ ln ¾ + ½ ln ¼]
    loss = preference_loss(tensor([math.log(3)] * 3), tensor([1.0, 0.8, 0.5]))
    expected = [-math.log(3 / 4), -0.8 * math.log(3 / 4) - 0.2 * math.log(1 / 4), -0.5 * math.log(3 / 16)]
    assert_close(loss, tensor(expected))


@given(margins, chances)
def test_the_gradient_pulls_to_where_the_chance_is_met(margin: float, chance: float) -> None:
    """d/dΔ = σ(Δ) − p: up while the model is less sure than the label, down when it is surer."""
    x = torch.tensor([margin], dtype=torch.float64, requires_grad=True)
    preference_loss(x, torch.tensor([chance], dtype=torch.float64)).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(1 / (1 + math.exp(-margin)) - chance, abs=1e-9)


@given(margins, st.floats(0, 1))
def test_it_is_the_mean_over_both_ways_the_label_may_be(margin: float, chance: float) -> None:
    right, wrong = preference_loss(tensor([margin, -margin]), tensor([1.0, 1.0])).tolist()
    soft = preference_loss(tensor([margin]), tensor([chance])).item()
    assert soft == pytest.approx(chance * right + (1 - chance) * wrong, abs=1e-5)


def test_a_coins_label_moves_no_undecided_model() -> None:
    x = torch.zeros(1, requires_grad=True)
    preference_loss(x, tensor([0.5])).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.item() == 0


def test_imitation_by_hand() -> None:
    logprobs = tensor([[-1.0, -2.0, -7.0], [-4.0, -9.0, -9.0]])
    mask = tensor([[True, True, False], [True, False, False]])
    plain = imitation_loss(logprobs, mask, tensor([1.0, 1.0]))
    assert plain.mean().item() == pytest.approx((1 + 2 + 4) / 3)  # the mean over the batch's tokens
    assert_close(imitation_loss(logprobs, mask, tensor([0.75, 0.5])), plain * tensor([0.5, 0.0]))
