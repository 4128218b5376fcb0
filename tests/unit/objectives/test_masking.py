import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor
from torch.testing import assert_close

from stemma.objectives.masking import masked_mean, masked_sum, masked_var, masked_whiten

VALUES = tensor([[1.0, 2.0, 99.0], [6.0, 99.0, 99.0]])
MASK = tensor([[True, True, False], [True, False, False]])


def test_mean_and_variance_are_those_of_the_three_tokens_that_count() -> None:
    # 1, 2, 6: the sum is 9, the mean 3, the squared distances 4 + 1 + 9 = 14
    assert_close(masked_sum(VALUES, MASK), tensor(9.0))
    assert_close(masked_sum(VALUES, MASK, dim=-1), tensor([3.0, 6.0]))
    assert_close(masked_mean(VALUES, MASK), tensor(3.0))
    assert_close(masked_var(VALUES, MASK), tensor(14 / 3))


def test_whitened_tokens_have_mean_0_and_variance_1_and_padding_is_0() -> None:
    whitened = masked_whiten(VALUES, MASK)
    std = (14 / 3) ** 0.5
    assert_close(whitened, tensor([[-2 / std, -1 / std, 0.0], [3 / std, 0.0, 0.0]]))


def test_equal_values_whiten_to_zeros() -> None:
    assert_close(masked_whiten(torch.full((2, 3), 7.0), MASK), torch.zeros(2, 3))


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    padding=st.integers(1, 4),
    rubbish=st.sampled_from([0.0, 1e30, float("inf"), float("nan")]),
    seed=st.integers(0, 1000),
)
def test_padding_changes_nothing(lengths: list[int], padding: int, rubbish: float, seed: int) -> None:
    mask = torch.arange(max(lengths)) < tensor(lengths).unsqueeze(1)
    values = torch.randn(mask.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    wide_mask = torch.nn.functional.pad(mask, (0, padding))
    wide = torch.nn.functional.pad(values, (0, padding)).masked_fill(~wide_mask, rubbish)

    assert_close(masked_sum(wide, wide_mask), masked_sum(values, mask))
    assert_close(masked_mean(wide, wide_mask), masked_mean(values, mask))
    assert_close(masked_var(wide, wide_mask), masked_var(values, mask))
    assert_close(masked_whiten(wide, wide_mask)[:, : mask.shape[1]], masked_whiten(values, mask))


def test_no_gradient_reaches_the_padding() -> None:
    values: Tensor = VALUES.clone().requires_grad_()
    masked_mean(values, MASK).backward()  # type: ignore[no-untyped-call]
    assert_close(values.grad, MASK / 3)
