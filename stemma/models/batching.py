"""Rows of different lengths in batches of like lengths, so that little of a batch is padding."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

R = TypeVar("R")


def in_batches(lengths: Sequence[int], batch_size: int, function: Callable[[list[int]], Sequence[R]]) -> list[R]:
    """Give the function the indices of one batch after another and put what it returns back in the rows' order."""
    by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
    results: dict[int, R] = {}
    for start in range(0, len(by_length), batch_size):
        indices = by_length[start : start + batch_size]
        results.update(zip(indices, function(indices), strict=True))
    return [results[i] for i in range(len(lengths))]


def pad_right(rows: Sequence[Sequence[int]], value: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows of token ids as one batch, and its mask (1 at the rows' own tokens). Shapes: (b, t), (b, t)."""
    ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)
    mask = pad_sequence([torch.ones(len(row), dtype=torch.long) for row in rows], batch_first=True)
    return ids.to(device), mask.to(device)
