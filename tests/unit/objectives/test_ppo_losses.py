import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor
from torch.testing import assert_close

from stemma.objectives.masking import masked_mean
from stemma.objectives.ppo import policy_loss, value_loss

ONE = tensor([[True]])
NAN = float("nan")


def policy_case(ratio: float, advantage: float) -> tuple[float, float, float]:
    """Loss, clip fraction and d loss / d logprob of one token at clip_range 0.2."""
    logprobs = tensor([[math.log(ratio)]], dtype=torch.float64, requires_grad=True)
    result = policy_loss(logprobs, torch.zeros(1, 1, dtype=torch.float64), tensor([[advantage]]), ONE, 0.2)
    (gradient,) = torch.autograd.grad(result.loss, logprobs)
    return result.loss.item(), result.clip_fraction.item(), gradient.item()


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "clipped", "gradient"),
    [
        (1.1, 2.0, -2.2, 0.0, -2.2),  # inside the range: −ratio × advantage, whose slope in log ratio is itself
        (1.5, 2.0, -2.4, 1.0, 0.0),  # already likelier than 1.2: nothing more to gain
        (0.5, 2.0, -1.0, 0.0, -1.0),  # less likely although good: pulled back without a limit
        (0.5, -2.0, 1.6, 1.0, 0.0),  # already less likely than 0.8: nothing more to gain
        (1.5, -2.0, 3.0, 0.0, 3.0),  # likelier although bad: pushed down without a limit
    ],
)
def test_policy_loss_on_both_sides_of_the_clip(
    ratio: float, advantage: float, loss: float, clipped: float, gradient: float
) -> None:
    assert policy_case(ratio, advantage) == pytest.approx((loss, clipped, gradient))


def test_approx_kl_is_k3_of_the_old_policy() -> None:
    # ratio 2: k3 = 2 − 1 − ln 2
    result = policy_loss(tensor([[math.log(2.0)]]), torch.zeros(1, 1), torch.ones(1, 1), ONE, 0.2)
    assert_close(result.approx_kl, tensor(1 - math.log(2.0)))


@pytest.mark.parametrize(
    ("value", "old", "target", "loss", "clipped", "gradient"),
    [
        (0.1, 0.0, 1.0, 0.405, 0.0, -0.9),  # inside the range: ½ 0.9²
        (0.5, 0.0, 1.0, 0.32, 1.0, 0.0),  # moved towards the target by more than 0.2: ½ (1 − 0.2)²
        (-0.5, 0.0, 1.0, 1.125, 0.0, -1.5),  # moved away from it: ½ 1.5², pulled back
    ],
)
def test_value_loss_on_both_sides_of_the_clip(
    value: float, old: float, target: float, loss: float, clipped: float, gradient: float
) -> None:
    values = tensor([[value]], dtype=torch.float64, requires_grad=True)
    result = value_loss(values, tensor([[old]]), tensor([[target]]), ONE, 0.2)
    (slope,) = torch.autograd.grad(result.loss, values)
    assert (result.loss.item(), result.clip_fraction.item(), slope.item()) == pytest.approx((loss, clipped, gradient))


def random_batch(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    new, old, target = torch.randn(3, 3, 4, generator=random, dtype=torch.float64)
    mask = torch.arange(4) < torch.randint(1, 5, (3, 1), generator=random)
    return new, old, target, mask


@pytest.mark.parametrize("seed", range(3))
def test_gradients_match_finite_differences(seed: int) -> None:
    new, old, target, mask = random_batch(seed)
    new.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: policy_loss(x, old, target, mask, 0.2).loss, new)
    assert torch.autograd.gradcheck(lambda x: value_loss(x, old, target, mask, 0.2).loss, new)


def test_at_ratio_1_the_gradient_is_reinforce() -> None:
    logprobs, _, advantages, mask = random_batch(0)
    logprobs.requires_grad_()
    (ours,) = torch.autograd.grad(policy_loss(logprobs, logprobs.detach(), advantages, mask, 0.2).loss, logprobs)
    (reinforce,) = torch.autograd.grad(-masked_mean(logprobs * advantages, mask), logprobs)
    assert_close(ours, reinforce)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), padding=st.integers(1, 4), rubbish=st.sampled_from([0.0, 1e30, NAN]))
def test_padding_changes_nothing(seed: int, padding: int, rubbish: float) -> None:
    new, old, target, mask = random_batch(seed)
    wide_mask = torch.nn.functional.pad(mask, (0, padding))

    def pad(x: Tensor) -> Tensor:
        return torch.nn.functional.pad(x, (0, padding)).masked_fill(~wide_mask, rubbish)

    wide_new = pad(new).requires_grad_()
    for objective in (policy_loss, value_loss):
        narrow = objective(new, old, target, mask, 0.2)
        wide = objective(wide_new, pad(old), pad(target), wide_mask, 0.2)
        for narrow_number, wide_number in zip(narrow, wide, strict=True):
            assert_close(wide_number, narrow_number)
        (gradient,) = torch.autograd.grad(wide.loss, wide_new)
        assert not gradient[~wide_mask].any()
