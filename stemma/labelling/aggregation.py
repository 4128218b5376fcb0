"""From verdicts to comparisons: what a pair's verdicts amount to, and who gave them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stemma.labelling.quality.dawid_skene import dawid_skene
from stemma.labelling.quality.majority import majority
from stemma.labelling.quality.votes import VotedPair, labeller_of
from stemma.records.types import Comparison, Origin, Prompt

Aggregation = Literal["majority", "dawid_skene"]
"""How several verdicts on a pair become one label."""

Outcome = Literal["compared", "tie", "undecided", "skipped", "same_text", "empty"]
"""What became of a pair: a comparison, or why none. Most found the answers equal; as much speaks for the one as for the
other; nobody judged; the answers have the same text, or one has no words."""


@dataclass(frozen=True)
class Label:
    """A pair with what its verdicts amount to."""

    pair: VotedPair
    first: float | None
    """The chance that the pair's first answer is the better one; None without a vote."""

    @property
    def outcome(self) -> Outcome:
        """What became of the pair."""
        if self.pair.answers[0] == self.pair.answers[1]:
            return "same_text"
        if not all(self.pair.answers):
            return "empty"
        if self.first is None:
            return "skipped"
        if _equal_to_most(self.pair):
            return "tie"
        return "undecided" if self.first == 0.5 else "compared"

    def comparison(self, prompt: Prompt, soft: bool) -> Comparison | None:
        """The label as a row; `soft` keeps the probability. None where the pair gives none."""
        if self.first is None or self.outcome != "compared":
            return None
        better = 1 if self.first > 0.5 else -1
        chosen, rejected = self.pair.answers[::better]
        chosen_finished, rejected_finished = self.pair.finished[::better]
        return Comparison(
            prompt_id=prompt.id,
            prompt=prompt.messages,
            chosen=chosen,
            rejected=rejected,
            chosen_finished=chosen_finished,
            rejected_finished=rejected_finished,
            split=prompt.split,
            kind=prompt.kind,
            annotator=_only_one(self.pair, "annotator"),
            judge=_only_one(self.pair, "judge"),
            probability=round(max(self.first, 1 - self.first), 6) if soft else None,
            weight=max(vote.weight for vote in self.pair.votes),
            origin=_origin(self.pair),
        )


def aggregate(pairs: Sequence[VotedPair], how: Aggregation) -> list[Label]:
    """What each pair's verdicts amount to."""
    first = majority(pairs) if how == "majority" else dawid_skene(pairs).first
    return [Label(pair, chance) for pair, chance in zip(pairs, first, strict=True)]


def comparisons_of(labels: Sequence[Label], prompts: Mapping[str, Prompt], soft: bool) -> list[Comparison]:
    """The comparisons that come of labels, in their order; `prompts` are by id."""
    rows = (label.comparison(prompts[label.pair.prompt_id], soft) for label in labels)
    return [row for row in rows if row is not None]


def _equal_to_most(pair: VotedPair) -> bool:
    equal = sum(vote.weight for vote in pair.votes if vote.choice in ("tie", "both_bad"))
    return 2 * equal > sum(vote.weight for vote in pair.votes)


def _only_one(pair: VotedPair, kind: str) -> str | None:
    names = [vote.labeller.name for vote in pair.votes if vote.labeller.kind == kind]
    return names[0] if len(names) == 1 else None


def _origin(pair: VotedPair) -> Origin | None:
    """What the origins of all verdicts have in common, and where there are several, how many each labeller gave."""
    given = [verdict for verdict in pair.verdicts if verdict.choice != "skip"]
    first, *others = [verdict.origin or {} for verdict in given]
    shared = {key: value for key, value in first.items() if all(key in o and o[key] == value for o in others)}
    if not others:
        return shared or None
    counts = Counter(labeller_of(verdict) for verdict in given)
    by_kind: Origin = {}
    for kind in ("annotator", "judge"):
        names = {labeller.name: count for labeller, count in sorted(counts.items()) if labeller.kind == kind}
        by_kind |= {f"{kind}s": dict(names)} if names else {}
    return {**shared, "verdicts": by_kind}
