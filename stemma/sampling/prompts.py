"""Prompts of different lengths as one batch."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class PromptBatch(NamedTuple):
    """Prompts padded on the left, so that every response starts in the same column."""

    input_ids: Tensor
    """(b, p)"""
    attention_mask: Tensor
    """(b, p), 1 at the prompt's own tokens."""


def pad_left(prompts: Sequence[Sequence[int]], pad_token_id: int, device: torch.device) -> PromptBatch:
    """Put the token ids of prompts into one batch as wide as the longest of them."""
    width = max(len(prompt) for prompt in prompts)
    input_ids = [[pad_token_id] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    attention_mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return PromptBatch(torch.tensor(input_ids, device=device), torch.tensor(attention_mask, device=device))
