import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor
from torch.testing import assert_close

from stemma.objectives.gae import explained_variance, generalized_advantages

NAN = float("nan")
# A response of three tokens and one of one token.
REWARDS = tensor([[0.0, 0.0, 1.0], [2.0, NAN, NAN]])
VALUES = tensor([[0.5, 1.0, 0.25], [0.5, NAN, NAN]])
MASK = tensor([[True, True, True], [True, False, False]])


def test_worked_on_paper() -> None:
    # γ = 1/2, λ = 1/2, so γλ = 1/4.
    # δ_2 = 1 − 0.25             = 0.75        Â_2 = 0.75
    # δ_1 = 0 + 0.5 × 0.25 − 1   = −0.875      Â_1 = −0.875 + 0.75 / 4 = −0.6875
    # δ_0 = 0 + 0.5 × 1 − 0.5    = 0           Â_0 = −0.6875 / 4       = −0.171875
    # the other response: δ_0 = 2 − 0.5        = 1.5
    result = generalized_advantages(REWARDS, VALUES, MASK, gamma=0.5, lam=0.5)
    assert_close(result.advantages, tensor([[-0.171875, -0.6875, 0.75], [1.5, 0.0, 0.0]]))
    assert_close(result.returns, tensor([[0.328125, 0.3125, 1.0], [2.0, 0.0, 0.0]]))


def test_lam_1_gives_the_rewards_to_come_minus_the_value() -> None:
    result = generalized_advantages(tensor([[1.0, 2.0, 4.0]]), VALUES[:1], MASK[:1], gamma=1.0, lam=1.0)
    assert_close(result.returns, tensor([[7.0, 6.0, 4.0]]))
    assert_close(result.advantages, tensor([[6.5, 5.0, 3.75]]))


def test_lam_0_gives_the_one_step_error() -> None:
    result = generalized_advantages(tensor([[1.0, 2.0, 4.0]]), VALUES[:1], MASK[:1], gamma=1.0, lam=0.0)
    assert_close(result.advantages, tensor([[1.0 + 1.0 - 0.5, 2.0 + 0.25 - 1.0, 4.0 - 0.25]]))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), padding=st.integers(1, 4), gamma=st.floats(0, 1), lam=st.floats(0, 1))
def test_padding_changes_nothing(seed: int, padding: int, gamma: float, lam: float) -> None:
    random = torch.Generator().manual_seed(seed)
    rewards, values = torch.randn(2, 3, 4, generator=random)
    mask = torch.arange(4) < torch.randint(1, 5, (3, 1), generator=random)

    def pad(x: Tensor) -> Tensor:
        return torch.nn.functional.pad(x, (0, padding), value=NAN)

    wide_mask = torch.nn.functional.pad(mask, (0, padding))
    narrow = generalized_advantages(rewards, values, mask, gamma, lam)
    wide = generalized_advantages(pad(rewards), pad(values), wide_mask, gamma, lam)
    assert_close(wide.advantages[:, :4], narrow.advantages)
    assert_close(wide.returns[:, :4], narrow.returns)
    assert not wide.advantages[:, 4:].any()


def test_explained_variance() -> None:
    returns, mask = tensor([[1.0, 3.0, NAN]]), tensor([[True, True, False]])
    assert_close(explained_variance(returns, returns, mask), tensor(1.0))
    assert_close(explained_variance(tensor([[2.0, 2.0, NAN]]), returns, mask), tensor(0.0))
    # errors −2 and 2 have a variance of 4, the returns of 1
    assert_close(explained_variance(tensor([[3.0, 1.0, NAN]]), returns, mask), tensor(-3.0))
    assert torch.isfinite(explained_variance(returns, torch.ones(1, 3), mask))
