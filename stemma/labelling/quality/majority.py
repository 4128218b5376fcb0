"""What several votes on a pair amount to, by their majority."""

from collections.abc import Iterable

from stemma.labelling.quality.votes import VotedPair


def majority(pairs: Iterable[VotedPair]) -> list[float | None]:
    """The share of the votes, by weight, that each pair's first answer has; a vote without a preference is split.

    None for a pair without votes.
    """
    return [_share(pair) for pair in pairs]


def _share(pair: VotedPair) -> float | None:
    total = sum(vote.weight for vote in pair.votes)
    return sum(vote.weight * vote.first for vote in pair.votes) / total if total else None
