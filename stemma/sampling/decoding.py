"""Prompts to responses, as tokens."""

from typing import Any, NamedTuple

import torch
from peft import PeftModel
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel

from stemma.sampling.prompts import PromptBatch
from stemma.sampling.shares import Share, WholeBatchNoise

WHOLE_DISTRIBUTION: dict[str, Any] = {
    "num_beams": 1,
    "top_k": 0,
    "top_p": 1.0,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "min_length": 0,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
}
"""Set against whatever a fetched model's generation_config.json says: tokens come from the whole distribution."""


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


@torch.no_grad()
def sample_responses(
    policy: PreTrainedModel | PeftModel, prompts: PromptBatch, decoding: Decoding, seed: int, share: Share | None = None
) -> Responses:
    """Draw one response for each prompt; the same seed and the same batch give the same tokens.

    With a share, the prompts are those of a bigger batch that it names, and get the responses that they have there.
    The process' own random state is left as it was.
    """
    sampler: Any = policy  # transformers mixes generate in at run time
    devices = [policy.device] if policy.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        sequences = sampler.generate(
            input_ids=prompts.input_ids,
            attention_mask=prompts.attention_mask,
            generation_config=_generation_config(decoding),
            logits_processor=[WholeBatchNoise(share, decoding.temperature, seed, policy.device)] if share else None,
        )
    tokens = sequences[:, prompts.input_ids.shape[1] :]
    ended = tokens == decoding.eos_token_id
    ended_before = ended.cumsum(-1) - ended.long() > 0
    return Responses(tokens, ~ended_before, ended.any(-1))


def _generation_config(decoding: Decoding) -> GenerationConfig:
    sampling = (
        {"do_sample": True, "temperature": decoding.temperature} if decoding.temperature else {"do_sample": False}
    )
    return GenerationConfig(  # type: ignore[no-untyped-call]
        **WHOLE_DISTRIBUTION,
        **sampling,
        max_new_tokens=decoding.max_new_tokens,
        eos_token_id=decoding.eos_token_id,
        pad_token_id=decoding.pad_token_id,
        use_cache=True,
        remove_invalid_values=True,  # a policy that diverged is told by its numbers, not by an error of the sampler
    )
