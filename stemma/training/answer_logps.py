"""Log-probabilities of given answers."""

from collections.abc import Sequence

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from stemma.models.batching import in_batches, pad_right
from stemma.models.chat import Ids
from stemma.objectives.logprobs import sequence_logps, token_logprobs
from stemma.sampling.forward import response_logits
from stemma.sampling.prompts import pad_left


@torch.no_grad()
def answer_logps(
    policy: PreTrainedModel | PeftModel, prompts: Sequence[Ids], answers: Sequence[Ids], batch_size: int
) -> list[float]:
    """log π(answer | prompt) in nats for each pair of encoded prompt and answer."""
    pad = int(policy.config.pad_token_id or 0)

    def logps(indices: list[int]) -> list[float]:
        prompt_ids, prompt_mask = pad_left([prompts[i] for i in indices], pad, policy.device)
        answer_ids, answer_mask = pad_right([answers[i] for i in indices], pad, policy.device)
        sequences = torch.cat([prompt_ids, answer_ids], dim=1)
        logits = response_logits(policy, sequences, torch.cat([prompt_mask, answer_mask], dim=1), answer_ids.shape[1])
        sums: list[float] = sequence_logps(token_logprobs(logits, answer_ids), answer_mask.bool()).tolist()
        return sums

    return in_batches([len(p) + len(a) for p, a in zip(prompts, answers, strict=True)], batch_size, logps)
