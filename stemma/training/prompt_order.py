"""Which prompts an update uses: an endless row of shuffled passes over all of them, cut into batches."""

import torch

from stemma.training.seeds import derived_seed


def batch_of_prompts(count: int, batch_size: int, update: int, seed: int) -> list[int]:
    """Indices of an update's prompts (updates are counted from 1) among `count` of them.

    Every prompt is used once before any is used again. The batch depends on the arguments alone, so a resumed run needs
    nothing to go on with.
    """
    positions = range((update - 1) * batch_size, update * batch_size)
    passes = {position // count for position in positions}
    shuffled = {number: _shuffled(count, derived_seed(seed, "prompts", number)) for number in sorted(passes)}
    return [shuffled[position // count][position % count] for position in positions]


def _shuffled(count: int, seed: int) -> list[int]:
    order: list[int] = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return order
