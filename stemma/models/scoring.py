"""Scores of whole texts by a reward model."""

from collections.abc import Sequence

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from stemma.models.batching import in_batches, pad_right
from stemma.models.chat import Ids
from stemma.models.scalar import sequence_scores


@torch.no_grad()
def score_rows(model: PreTrainedModel | PeftModel, rows: Sequence[Ids], batch_size: int) -> list[float]:
    """The reward model's score at the last token of every row (a prompt and its answer, encoded)."""
    pad = int(model.config.pad_token_id or 0)

    def score(indices: list[int]) -> list[float]:
        scores: list[float] = sequence_scores(model, *pad_right([rows[i] for i in indices], pad, model.device)).tolist()
        return scores

    return in_batches([len(row) for row in rows], batch_size, score)
