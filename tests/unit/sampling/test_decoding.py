from typing import Any

import pytest
import torch
from torch import tensor
from torch.testing import assert_close
from transformers import PreTrainedModel

from stemma.config import LoraConfig
from stemma.models.adapters import with_adapters
from stemma.models.policy import for_use
from stemma.sampling.decoding import Decoding, sample_responses
from stemma.sampling.prompts import PromptBatch, pad_left
from tests.tiny import tiny_model, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
PROMPTS = [[7, 8, 9, 10], [11, 12], [13, 14, 15]]
CPU = torch.device("cpu")
GREEDY = Decoding(6, 0.0, TOKENIZER.eos_token_id, TOKENIZER.pad_token_id)
SAMPLING = GREEDY._replace(temperature=1.0)


@pytest.fixture
def policy() -> PreTrainedModel:
    return for_use(tiny_model(TOKENIZER))


@pytest.fixture
def batch() -> PromptBatch:
    return pad_left(PROMPTS, TOKENIZER.pad_token_id, CPU)


def test_prompts_end_in_the_same_column() -> None:
    batch = pad_left([[5, 6, 7], [8]], 0, CPU)
    assert_close(batch.input_ids, tensor([[5, 6, 7], [0, 0, 8]]))
    assert_close(batch.attention_mask, tensor([[1, 1, 1], [0, 0, 1]]))


def test_greedy_takes_the_likeliest_token_of_a_plain_forward(policy: PreTrainedModel, batch: PromptBatch) -> None:
    tokens = sample_responses(policy, batch, GREEDY, seed=0).tokens
    for prompt, response in zip(PROMPTS, tokens, strict=True):
        written = list(prompt)
        for token in response.tolist():
            assert token == policy(tensor([written])).logits[0, -1].argmax().item()
            written.append(token)


def test_the_seed_decides_and_the_process_is_left_alone(policy: PreTrainedModel, batch: PromptBatch) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = sample_responses(policy, batch, SAMPLING, seed=1)
    assert_close(torch.rand(1), expected)
    again = sample_responses(policy, batch, SAMPLING, seed=1)
    other = sample_responses(policy, batch, SAMPLING, seed=2)
    assert first.tokens.equal(again.tokens)
    assert not first.tokens.equal(other.tokens)


def test_a_response_counts_up_to_and_including_its_end(policy: PreTrainedModel) -> None:
    policy.lm_head = torch.nn.Linear(32, 4, bias=False)  # draws tokens 0 to 3 alike; 3 ends a response, 4 pads it
    torch.nn.init.zeros_(policy.lm_head.weight)
    responses = sample_responses(policy, pad_left([[7, 8, 9]] * 64, 4, CPU), Decoding(8, 1.0, 3, 4), seed=0)
    assert responses.finished.any()
    assert not responses.finished.all()
    for tokens, mask, finished, _ in zip(*responses, strict=True):
        kept = tokens[mask].tolist()
        assert finished == (3 in kept)
        assert 3 not in kept[:-1]
        assert finished or len(kept) == 8
        assert tokens.tolist() == kept + [4] * (8 - len(kept))


def test_a_batch_is_as_wide_as_its_longest_response(policy: PreTrainedModel) -> None:
    policy.lm_head = torch.nn.Linear(32, 4, bias=False)
    torch.nn.init.zeros_(policy.lm_head.weight)
    responses = sample_responses(policy, pad_left([[7]] * 4, 4, CPU), Decoding(60, 1.0, 3, 4), seed=0)
    assert responses.finished.all()
    assert responses.tokens.shape[1] == responses.mask.sum(-1).max()


def test_the_model_s_own_decoding_settings_change_nothing(policy: PreTrainedModel, batch: PromptBatch) -> None:
    plain = sample_responses(policy, batch, SAMPLING, seed=0).tokens
    own: Any = policy.generation_config
    own.update(top_k=1, top_p=0.1, repetition_penalty=5.0, num_beams=3, min_length=50)
    assert sample_responses(policy, batch, SAMPLING, seed=0).tokens.equal(plain)


BENT: dict[str, Any] = {
    "min_p": 0.9,
    "suppress_tokens": list(range(5, 200)),
    "begin_suppress_tokens": list(range(5, 200)),
    "bad_words_ids": [[token] for token in range(5, 200)],
    "sequence_bias": [[[token], -50.0] for token in range(5, 200)],
    "repetition_penalty": 5.0,
    "encoder_repetition_penalty": 5.0,
    "forced_bos_token_id": 9,
    "forced_eos_token_id": 9,
    "exponential_decay_length_penalty": (1, 9.0),
    "min_new_tokens": 6,
    "guidance_scale": 3.0,
    "renormalize_logits": True,
    "top_k": 1,
    "top_p": 0.1,
    "top_h": 0.1,
    "typical_p": 0.1,
    "no_repeat_ngram_size": 1,
    "stop_strings": ["a"],
    "max_time": 1e-9,
    "num_beams": 3,
    "do_sample": True,
    "temperature": 9.0,
}


@pytest.mark.parametrize("field", BENT)
@pytest.mark.parametrize("decoding", [GREEDY, SAMPLING._replace(temperature=0.7)], ids=["greedy", "sampling"])
def test_no_field_of_the_model_s_generation_config_changes_what_is_drawn(
    field: str, decoding: Decoding, policy: PreTrainedModel, batch: PromptBatch
) -> None:
    plain = sample_responses(policy, batch, decoding, seed=0)
    own: Any = policy
    own.generation_config.update(**{field: BENT[field]})
    bent = sample_responses(policy, batch, decoding, seed=0)
    assert bent.tokens.equal(plain.tokens)
    assert bent.logprobs.equal(plain.logprobs)
    assert getattr(own.generation_config, field) == BENT[field]  # it is set aside, and not lost


def test_under_adapters_the_base_s_generation_config_changes_nothing(
    policy: PreTrainedModel, batch: PromptBatch
) -> None:
    adapted: Any = with_adapters(policy, LoraConfig(r=2, alpha=4), "CAUSAL_LM")
    plain = sample_responses(adapted, batch, SAMPLING, seed=0).tokens
    adapted.get_base_model().generation_config.update(suppress_tokens=list(range(5, 200)), min_p=0.9)
    assert sample_responses(adapted, batch, SAMPLING, seed=0).tokens.equal(plain)


def test_temperature_1_draws_from_the_policy_s_own_distribution(policy: PreTrainedModel) -> None:
    with torch.no_grad():
        policy.lm_head.weight.mul_(20)
        probabilities = policy(tensor([PROMPTS[0]])).logits[0, -1].softmax(-1)
    batch = pad_left([PROMPTS[0]] * 4000, TOKENIZER.pad_token_id, CPU)
    drawn = sample_responses(policy, batch, SAMPLING._replace(max_new_tokens=1), seed=0).tokens
    frequencies = torch.bincount(drawn.flatten(), minlength=len(probabilities)) / 4000
    assert (frequencies - probabilities).abs().max() < 0.03  # four standard errors of a share of one half
