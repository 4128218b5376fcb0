"""Conversations to answers, as text."""

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from stemma.models.batching import in_batches
from stemma.models.chat import encode_prompts
from stemma.records.types import Conversation
from stemma.sampling.decoding import Decoding, sample_responses
from stemma.sampling.prompts import pad_left


class Sampled(NamedTuple):
    """One answer; `finished` is False where it ran into the length limit."""

    text: str
    finished: bool
    tokens: tuple[int, ...] = ()
    """Its token ids as they were drawn, the end-of-turn token included; encoding the text again may give others."""


def generate(
    policy: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[Conversation],
    *,
    max_new_tokens: int,
    temperature: float,
    seed: int,
    batch_size: int,
) -> list[Sampled]:
    """Answer every conversation once, in their order.

    Temperature 1 samples the policy's own distribution and 0 takes the likeliest token. The answers depend on the seed
    and on batch_size, because each batch of prompts of like length draws with a seed of its own.
    """
    prompts = encode_prompts(tokenizer, conversations)
    decoding = Decoding(max_new_tokens, temperature, tokenizer.eos_token_id, tokenizer.pad_token_id)
    seeds = count(seed)

    def answer(indices: list[int]) -> list[Sampled]:
        batch = pad_left([prompts[i] for i in indices], decoding.pad_token_id, policy.device)
        responses = sample_responses(policy, batch, decoding, next(seeds))
        drawn = [tokens[mask].tolist() for tokens, mask in zip(responses.tokens, responses.mask, strict=True)]
        texts = tokenizer.batch_decode(drawn, skip_special_tokens=True)
        return list(map(Sampled, texts, responses.finished.tolist(), map(tuple, drawn)))

    return in_batches([len(prompt) for prompt in prompts], batch_size, answer)
