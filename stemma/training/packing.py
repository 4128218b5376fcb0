"""Documents side by side in rows of one length, each read as if it stood alone.

Positions start again at every document, from which the model makes a block-diagonal attention mask, and no document's
first token is predicted from another document. A model that reads across documents learns the default world's facts
in half as many steps again or more.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, count, islice
from typing import NamedTuple

import torch
from torch import Tensor

from stemma.models.chat import Ids
from stemma.training.encoding import NO_LOSS
from stemma.training.seeds import derived_seed


class Batch(NamedTuple):
    """Rows of packed documents, each tensor (b, context)."""

    input_ids: Tensor
    position_ids: Tensor
    labels: Tensor
    """The token itself, or NO_LOSS at a document's first token and under the padding."""


def batches(documents: Sequence[Ids], context: int, batch_size: int, pad: int, seed: int) -> Iterator[Batch]:
    """Batches without end; every epoch has the documents in another order, which the seed and the epoch decide."""
    pieces = [document[i : i + context] for document in documents for i in range(0, len(document), context)]
    rows = chain.from_iterable(_rows(pieces, context, derived_seed(seed, "epoch", epoch)) for epoch in count())
    while True:
        yield _batch(list(islice(rows, batch_size)), context, pad)


def _rows(pieces: Sequence[Ids], context: int, seed: int) -> Iterator[list[Ids]]:
    """Fill one row after another, each with whole pieces up to `context` tokens."""
    row: list[Ids] = []
    for index in torch.randperm(len(pieces), generator=torch.Generator().manual_seed(seed)).tolist():
        if row and sum(map(len, row)) + len(pieces[index]) > context:
            yield row
            row = []
        row.append(pieces[index])
    yield row


def _batch(rows: Sequence[Sequence[Ids]], context: int, pad: int) -> Batch:
    def padded(parts: Iterator[Sequence[int]], value: int) -> list[int]:
        numbers = list(chain.from_iterable(parts))
        return numbers + [value] * (context - len(numbers))

    return Batch(
        torch.tensor([padded(iter(row), pad) for row in rows]),
        torch.tensor([padded((range(len(piece)) for piece in row), 0) for row in rows]),
        torch.tensor([padded(([NO_LOSS, *piece[1:]] for piece in row), NO_LOSS) for row in rows]),
    )
