"""A batch of prompts answered by several ranks, each its share, with the tokens that one process would have drawn.

torch draws a token as argmax(p / q), where q is exponential noise for every token of every row. Each rank draws the
noise of the whole batch and uses its own rows of it, so who answers a prompt does not change the answer.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from transformers import LogitsProcessor

from stemma.sampling.prompts import PromptBatch


class Share(NamedTuple):
    """Some rows of a batch, by the rank that answers them."""

    rank: int
    ranks: int
    size: int
    """Rows of the whole batch."""

    @property
    def rows(self) -> slice:
        """Where they lie in the batch; shares differ by one row at most."""
        bounds = [self.size * number // self.ranks for number in (self.rank, self.rank + 1)]
        return slice(*bounds)

    def of(self, batch: PromptBatch) -> PromptBatch:
        """Its rows of the batch, padded as the whole batch is."""
        return PromptBatch(batch.input_ids[self.rows], batch.attention_mask[self.rows])


class WholeBatchNoise(LogitsProcessor):
    """Leaves of each row's tokens the one that sampling the whole batch with this seed would draw."""

    def __init__(self, share: Share, temperature: float, seed: int, device: torch.device) -> None:
        self._share = share
        self._temperature = temperature
        self._random = torch.Generator(device).manual_seed(seed)

    def __call__(
        self,
        input_ids: Tensor,  # noqa: ARG002 (transformers' protocol)
        scores: Tensor,
    ) -> Tensor:
        """Scores (b, vocabulary) of the next token → 0 for the one that is drawn, and −∞ for every other."""
        if self._temperature != 1.0:
            scores = scores / self._temperature
        noise = torch.empty(self._share.size, scores.shape[1], device=scores.device)
        noise.exponential_(1, generator=self._random)
        drawn = (scores.softmax(-1) / noise[self._share.rows]).argmax(-1, keepdim=True)
        return torch.full_like(scores, -torch.inf).scatter(1, drawn, 0.0)
