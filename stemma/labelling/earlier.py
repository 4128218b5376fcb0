"""Labels of earlier rounds: they go on teaching, each round a little less."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from stemma.records.types import Comparison, Prompt

EARLIER = Path("inputs/round/labels/from-round")
"""Where the label artifact of the round before lies in a round; it holds earlier labels too."""


def merge_earlier(
    fresh: Sequence[Comparison], earlier: Iterable[Comparison], prompts: Iterable[Prompt], decay: float
) -> list[Comparison]:
    """The fresh comparisons, then the earlier ones to learn from: a round older, their weights times `decay`, above 0.

    Left out are earlier pairs that were labelled anew, and those whose prompt is held out by now.
    """
    taken = {_pair(row) for row in fresh}
    held_out = {prompt.messages for prompt in prompts if prompt.split != "train"}
    kept = [
        row.model_copy(update={"weight": row.weight * decay, "age": (row.age or 0) + 1})
        for row in earlier
        if row.split == "train" and _pair(row) not in taken and row.prompt not in held_out
    ]
    return [*fresh, *kept]


def count_rounds(comparisons: Iterable[Comparison]) -> list[dict[str, float]]:
    """The pairs to learn from by how many rounds ago they were labelled, with what they weigh together."""
    weights: dict[int, list[float]] = defaultdict(list)
    for row in comparisons:
        if row.split == "train":
            weights[row.age or 0].append(row.weight)
    return [{"age": age, "pairs": len(found), "weight": round(sum(found), 6)} for age, found in sorted(weights.items())]


def _pair(row: Comparison) -> tuple[object, frozenset[str]]:
    return row.prompt, frozenset((row.chosen, row.rejected))
