"""What the policy did in one update, and what the other three models made of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, cast

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from stemma.models.scalar import sequence_scores
from stemma.objectives.kl import token_kl
from stemma.objectives.logprobs import token_entropies, token_logprobs
from stemma.sampling.decoding import Decoding, Responses, sample_responses
from stemma.sampling.forward import response_logits, response_values
from stemma.sampling.prompts import PromptBatch
from stemma.sampling.shares import Share


class Scaling(NamedTuple):
    """Where the reward model's scores lie: the mean and standard deviation over the answers it was trained on."""

    mean: float
    std: float

    def apply(self, scores: Tensor) -> Tensor:
        """Scores in standard deviations from the mean; any shape."""
        return (scores - self.mean) / self.std


class PpoModels(NamedTuple):
    """The four models of PPO; only the policy and the value model are trained."""

    policy: PreTrainedModel | PeftModel
    ref_policy: PreTrainedModel | None
    """None where the policy has adapters: it is the reference when they are switched off."""
    reward_model: PreTrainedModel
    value_model: PreTrainedModel | PeftModel
    scaling: Scaling
    """Applied to scores and values alike, because the value model starts as a copy of the reward model."""


class Rollouts(NamedTuple):
    """b responses of up to t tokens to prompts of up to p; numbers under the padding mean nothing."""

    sequences: Tensor
    """(b, p + t) token ids, prompts padded on the left, responses on the right."""
    attention_mask: Tensor
    """(b, p + t)"""
    mask: Tensor
    """(b, t) bool, True at the response's tokens."""
    finished: Tensor
    """(b,) bool, False where the response ran into the length limit."""
    logprobs: Tensor
    """(b, t) of the policy that sampled, at the temperature it sampled at."""
    ref_logprobs: Tensor
    """(b, t) of the reference, at the same temperature."""
    entropies: Tensor
    """(b, t) of the policy that sampled, in nats."""
    kls: Tensor
    """(b, t): KL(policy ‖ reference) of the two distributions of each token, over the whole vocabulary, in nats."""
    values: Tensor
    """(b, t) of the value model before each token, scaled as the scores are."""
    scores: Tensor
    """(b,) of the reward model, scaled."""
    sampler_logprobs: Tensor
    """(b, t) of the distribution that the sampler drew each token from, to be held against `logprobs`."""


@torch.no_grad()
def collect_rollouts(
    models: PpoModels,
    prompts: PromptBatch,
    decoding: Decoding,
    seed: int,
    chunk_size: int,
    share: Share | None = None,
) -> Rollouts:
    """Sample one response a prompt and look at it with all four models, chunk_size sequences at a time.

    With a share, it is done for those of the prompts alone, and comes out as it would for all.
    """
    prompts = share.of(prompts) if share else prompts
    responses = sample_responses(models.policy, prompts, decoding, seed, share)
    sequences = torch.cat([prompts.input_ids, responses.tokens], dim=1)
    attention_mask = torch.cat([prompts.attention_mask, responses.mask.long()], dim=1)
    chunks = torch.split(torch.arange(len(sequences)), chunk_size)
    parts = [
        _look(models, sequences[rows], attention_mask[rows], Responses(*(x[rows] for x in responses)), decoding)
        for rows in chunks
    ]
    return Rollouts(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _look(
    models: PpoModels, sequences: Tensor, attention_mask: Tensor, responses: Responses, decoding: Decoding
) -> Rollouts:
    length = responses.tokens.shape[1]
    logits = response_logits(models.policy, sequences, attention_mask, length, decoding.temperature)
    with reference(models) as ref_policy:
        ref_logits = response_logits(ref_policy, sequences, attention_mask, length, decoding.temperature)
    values = response_values(models.value_model, sequences, attention_mask, length)
    return Rollouts(
        sequences,
        attention_mask,
        responses.mask,
        responses.finished,
        logprobs=token_logprobs(logits, responses.tokens),
        ref_logprobs=token_logprobs(ref_logits, responses.tokens),
        entropies=token_entropies(logits),
        kls=token_kl(logits, ref_logits),
        values=models.scaling.apply(values),
        scores=models.scaling.apply(sequence_scores(models.reward_model, sequences, attention_mask)),
        sampler_logprobs=responses.logprobs,
    )


@contextmanager
def reference(models: PpoModels) -> Iterator[PreTrainedModel | PeftModel]:
    """The reference policy: its own model, or the policy with its adapters switched off meanwhile."""
    if models.ref_policy is not None:
        yield models.ref_policy
        return
    adapted = cast("PeftModel", models.policy)
    with adapted.disable_adapter():
        yield adapted
