"""Soft labels and weights beside the token ids, as columns that the trainers' losses read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from stemma.records.types import Comparison

TARGET, WEIGHT = "target", "weight"
COLUMNS = (TARGET, WEIGHT)
"""The chance that the chosen answer is the better one, and how much the row counts."""

Rows = Sequence[Mapping[str, Any]]
Collator = Callable[[Any], dict[str, Any]]


def soft_columns(comparisons: Sequence[Comparison], label_smoothing: float) -> dict[str, list[float]]:
    """The columns of comparisons; none where every row is plain, so that plain rows train as they always have.

    `label_smoothing` is the chance that a label without a probability of its own is wrong.
    """
    targets = [1 - label_smoothing if row.probability is None else row.probability for row in comparisons]
    weights = [row.weight for row in comparisons]
    if all(target == 1 for target in targets) and all(weight == 1 for weight in weights):
        return {}
    return {TARGET: targets, WEIGHT: weights}


def with_soft_columns(collate: Collator) -> Collator:
    """A collator that hands the columns on, where rows have them, beside what `collate` makes of the rows."""

    def collate_all(rows: Rows) -> dict[str, Any]:
        columns = {name: torch.tensor([row[name] for row in rows]) for name in COLUMNS if name in rows[0]}
        return {**collate(rows), **columns}

    return collate_all


def split_off(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], Tensor, Tensor]:
    """A batch without the columns, its targets, and its weights."""
    rest = {name: value for name, value in inputs.items() if name not in COLUMNS}
    return rest, inputs[TARGET], inputs[WEIGHT]
