"""Tokens drawn inside transformers' generation, with the log-probabilities that they were drawn with.

torch draws a token as argmax(p / q), where q is exponential noise for every token of every row. Here the noise comes
from a generator of its own, and is drawn for the whole batch even where a rank answers only some rows of it, so which
rank answers a prompt does not change the response.
"""

import torch
from torch import Tensor
from transformers import LogitsProcessor

from stemma.sampling.shares import Share


class TokenSampler(LogitsProcessor):
    """Draws the next token from softmax(scores / temperature) and leaves no other to choose; keeps its log-probability.

    It sees the scores as every other processor left them, so whatever changes what is drawn shows in `logprobs`.
    """

    def __init__(self, share: Share, temperature: float, seed: int, device: torch.device) -> None:
        self._share = share
        self._temperature = temperature
        self._random = torch.Generator(device).manual_seed(seed)
        self._logprobs: list[Tensor] = []

    def __call__(
        self,
        input_ids: Tensor,  # noqa: ARG002 (transformers' protocol)
        scores: Tensor,
    ) -> Tensor:
        """Scores (b, vocabulary) of the next token → 0 for the one that is drawn, and −∞ for every other."""
        if self._temperature != 1.0:
            scores = scores / self._temperature
        probabilities = scores.softmax(-1)
        noise = torch.empty(self._share.size, scores.shape[1], device=scores.device)
        noise.exponential_(1, generator=self._random)
        drawn = (probabilities / noise[self._share.rows]).argmax(-1, keepdim=True)
        self._logprobs.append(probabilities.gather(1, drawn).squeeze(1).log())
        return torch.full_like(scores, -torch.inf).scatter(1, drawn, 0.0)

    @property
    def logprobs(self) -> Tensor:
        """Of all tokens drawn so far, in nats, (b, t)."""
        return torch.stack(self._logprobs, dim=1)
