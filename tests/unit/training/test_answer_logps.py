import pytest
import torch

from stemma.training.answer_logps import answer_logps
from tests.tiny import tiny_model, tiny_tokenizer

PROMPTS, ANSWERS = [[5, 6, 7], [8], [9, 10]], [[11], [12, 13, 14], [15, 4]]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_an_answers_logp_is_the_sum_over_its_tokens_given_those_before(batch_size: int) -> None:
    model = tiny_model(tiny_tokenizer())
    expected = []
    for prompt, answer in zip(PROMPTS, ANSWERS, strict=True):
        logprobs = model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
        places = range(len(prompt) - 1, len(prompt) + len(answer) - 1)
        expected.append(sum(logprobs[i, token].item() for i, token in zip(places, answer, strict=True)))
    assert answer_logps(model, PROMPTS, ANSWERS, batch_size) == pytest.approx(expected, abs=1e-4)
