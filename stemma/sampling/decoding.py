"""Prompts to responses, as tokens."""

from typing import Any, NamedTuple

import torch
from peft import PeftModel
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel

from stemma.models.generation import own_generation_config_ignored
from stemma.sampling.drawing import TokenSampler
from stemma.sampling.prompts import PromptBatch
from stemma.sampling.shares import Share


class Decoding(NamedTuple):
    """How a response is drawn."""

    max_new_tokens: int
    temperature: float
    """The logits are divided by it; 0 takes the likeliest token."""
    eos_token_id: int
    pad_token_id: int


class Responses(NamedTuple):
    """Sampled tokens, as wide as the longest response."""

    tokens: Tensor
    """(b, t), padded on the right."""
    mask: Tensor
    """(b, t) bool, True up to and including the end-of-turn token."""
    finished: Tensor
    """(b,) bool, False where the response ran into max_new_tokens."""
    logprobs: Tensor
    """(b, t) of the distribution that the sampler drew each token from; 0 where the likeliest token was taken."""


@torch.no_grad()
def sample_responses(
    policy: PreTrainedModel | PeftModel, prompts: PromptBatch, decoding: Decoding, seed: int, share: Share | None = None
) -> Responses:
    """Draw one response for each prompt; the same seed and the same batch give the same tokens.

    With a share, the prompts are those of a bigger batch that it names, and get the responses that they have there.
    The model's own generation_config has no say, and the process' own random state is left as it was.
    """
    generator: Any = policy  # transformers mixes generate in at run time
    rows = share or Share(0, 1, len(prompts.input_ids))
    sampler = TokenSampler(rows, decoding.temperature, seed, policy.device) if decoding.temperature else None
    with own_generation_config_ignored(policy):
        sequences = generator.generate(
            input_ids=prompts.input_ids,
            attention_mask=prompts.attention_mask,
            generation_config=_generation_config(decoding),
            logits_processor=[sampler] if sampler else None,
        )
    tokens = sequences[:, prompts.input_ids.shape[1] :]
    ended = tokens == decoding.eos_token_id
    ended_before = ended.cumsum(-1) - ended.long() > 0
    logprobs = sampler.logprobs if sampler else torch.zeros(tokens.shape, device=tokens.device)
    return Responses(tokens, ~ended_before, ended.any(-1), logprobs)


def _generation_config(decoding: Decoding) -> GenerationConfig:
    return GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,  # the sampler leaves one token to choose; without one, the likeliest is taken
        max_new_tokens=decoding.max_new_tokens,
        eos_token_id=decoding.eos_token_id,
        pad_token_id=decoding.pad_token_id,
        use_cache=True,
        remove_invalid_values=True,  # a policy that diverged is told by its numbers, not by an error of the sampler
    )
