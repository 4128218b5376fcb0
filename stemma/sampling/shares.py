"""A batch of prompts answered by several ranks, each its share, with the tokens that one process would have drawn."""

from typing import NamedTuple

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
