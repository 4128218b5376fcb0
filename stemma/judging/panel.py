"""Several judges as one: the mean of their probabilities."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from stemma.judging.case import PROBABILITY_DIGITS, AiJudge, Case, Opinion
from stemma.records.types import Origin


class Panel:
    """Compares answers by asking several judges."""

    def __init__(self, name: str, members: Sequence[AiJudge]) -> None:
        self.name = name
        self._members = members

    def opinions(self, cases: Sequence[Case]) -> list[Opinion | None]:
        """An opinion of every case, with each member's beside it; None where a member has none."""
        told = [member.opinions(cases) for member in self._members]
        return [self._joined([opinion for opinion in row if opinion]) for row in zip(*told, strict=True)]

    @property
    def broken(self) -> dict[str, int]:
        """Why members' answers could not be read, with how many."""
        total: Counter[str] = Counter()
        for member in self._members:
            total.update({f"{member.name}: {reason}": count for reason, count in member.broken.items()})
        return dict(sorted(total.items()))

    def _joined(self, opinions: Sequence[Opinion]) -> Opinion | None:
        if len(opinions) < len(self._members):
            return None
        members: Origin = {
            member.name: {"probability": round(opinion.probability, PROBABILITY_DIGITS), **opinion.origin}
            for member, opinion in zip(self._members, opinions, strict=True)
        }
        mean = fmean(opinion.probability for opinion in opinions)
        return Opinion(mean, {"members": members}, sum(opinion.tokens for opinion in opinions))
