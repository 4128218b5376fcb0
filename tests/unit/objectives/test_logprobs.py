import math

import torch
from torch import tensor
from torch.testing import assert_close

from stemma.objectives.logprobs import sequence_logps, token_entropies, token_logprobs

# One sequence of two positions over a vocabulary of two: probabilities (1/2, 1/2), then (1/4, 3/4).
LOGITS = tensor([[[5.0, 5.0], [0.0, math.log(3.0)]]])


def test_logprobs_are_those_of_the_labels() -> None:
    assert_close(token_logprobs(LOGITS, tensor([[0, 1]])), tensor([[math.log(1 / 2), math.log(3 / 4)]]))


def test_a_sequence_is_as_likely_as_the_product_of_its_tokens() -> None:
    logprobs = token_logprobs(LOGITS, tensor([[1, 0]]))
    assert_close(sequence_logps(logprobs, tensor([[True, True]])), tensor([math.log(1 / 8)]))
    assert_close(sequence_logps(logprobs, tensor([[True, False]])), tensor([math.log(1 / 2)]))


def test_entropy_in_nats() -> None:
    quarter = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert_close(token_entropies(LOGITS), tensor([[math.log(2.0), quarter]]))


def test_gradient_of_logprobs_matches_finite_differences() -> None:
    logits = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = tensor([[0, 1, 2], [3, 3, 0]])
    assert torch.autograd.gradcheck(lambda x: token_logprobs(x, labels), logits)
