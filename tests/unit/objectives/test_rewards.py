import torch
from torch import tensor
from torch.testing import assert_close

from stemma.objectives.rewards import charge_missing_eos, token_rewards

LOGPROBS = tensor([[-1.0, -2.0, -0.5], [-1.0, float("nan"), float("nan")]])
REF_LOGPROBS = tensor([[-2.0, -1.0, -0.5], [-4.0, float("nan"), float("nan")]])
MASK = tensor([[True, True, True], [True, False, False]])


def test_only_unfinished_responses_pay_the_penalty() -> None:
    assert_close(charge_missing_eos(tensor([1.0, -2.0]), tensor([True, False]), 0.5), tensor([1.0, -2.5]))


def test_kl_at_every_token_and_the_score_at_the_last() -> None:
    # k1: first response 1, −1, 0; second 3. Charged at 0.1; scores 5 and 7 are paid at columns 2 and 0.
    rewards = token_rewards(tensor([5.0, 7.0]), LOGPROBS, REF_LOGPROBS, MASK, kl_coef=0.1)
    assert_close(rewards, tensor([[-0.1, 0.1, 5.0], [7.0 - 0.3, 0.0, 0.0]]))


def test_rewards_of_a_response_sum_to_its_score_minus_its_charged_kl() -> None:
    rewards = token_rewards(tensor([5.0, 7.0]), LOGPROBS, REF_LOGPROBS, MASK, kl_coef=0.2)
    assert_close(rewards.sum(-1), tensor([5.0 - 0.2 * 0.0, 7.0 - 0.2 * 3.0]))


def test_padding_changes_nothing() -> None:
    def pad(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(x, (0, 2))

    scores = tensor([5.0, 7.0])
    narrow = token_rewards(scores, LOGPROBS, REF_LOGPROBS, MASK, kl_coef=0.1)
    assert_close(token_rewards(scores, pad(LOGPROBS), pad(REF_LOGPROBS), pad(MASK), kl_coef=0.1), pad(narrow))
