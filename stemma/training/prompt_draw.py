"""Some of many prompts, drawn by the seed alone."""

from collections.abc import Sequence

from stemma.records.types import Prompt
from stemma.training.seeds import derived_seed


def drawn(prompts: Sequence[Prompt], count: int, purpose: str, seed: int) -> list[Prompt]:
    """At most `count` of the prompts, in their order; every purpose draws its own."""
    order = sorted(range(len(prompts)), key=lambda i: derived_seed(seed, purpose, i))
    return [prompts[i] for i in sorted(order[:count])]
