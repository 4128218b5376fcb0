"""Verdicts of simulated annotators, for data that has the gold rule."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stemma.labelling.annotators import AnnotatorConfig, Choice, better_answer, give_verdict
from stemma.labelling.pairs import Pair
from stemma.labelling.quality.votes import VotedPair
from stemma.records.types import Response, Verdict
from stemma.world.chance import chance
from stemma.world.gold import gold_score


@dataclass(frozen=True)
class JudgedPair:
    """A pair with the right verdict and what annotators said of it."""

    pair: Pair
    truth: Choice
    verdicts: tuple[Verdict, ...]
    """Those that make the label; behind them, where the pair overlaps, one that agreement is told by."""
    labelling: int
    """How many of them make the label."""

    def voted(self) -> VotedPair:
        """The verdicts that make the label."""
        return VotedPair(self.verdicts[: self.labelling], {})

    def measured(self) -> VotedPair:
        """All verdicts."""
        return VotedPair(self.verdicts, {})


def judge_pairs(
    pairs: Iterable[Pair],
    annotators: Sequence[AnnotatorConfig],
    verdicts_per_pair: int,
    overlap_share: float,
    seed: int,
) -> list[JudgedPair]:
    """Give each pair to `verdicts_per_pair` annotators, and `overlap_share` of the pairs to one more.

    Raises DataError where a prompt is not of the default world.
    """
    return [_judged(pair, annotators, verdicts_per_pair, overlap_share, seed) for pair in pairs]


def _judged(
    pair: Pair, annotators: Sequence[AnnotatorConfig], verdicts_per_pair: int, overlap_share: float, seed: int
) -> JudgedPair:
    draw = chance(seed, "verdicts", pair.prompt.id, pair.first.index, pair.second.index)
    truth = better_answer(_worth(pair, pair.first), _worth(pair, pair.second))
    asked = draw.sample(annotators, min(len(annotators), verdicts_per_pair + (draw.random() < overlap_share)))
    verdicts = tuple(
        Verdict(
            prompt_id=pair.prompt.id,
            annotator=annotator.name,
            first=pair.first.text,
            second=pair.second.text,
            first_finished=pair.first.finished,
            second_finished=pair.second.finished,
            choice=give_verdict(annotator, pair.first.text, pair.second.text, truth, draw),
        )
        for annotator in asked
    )
    return JudgedPair(pair, truth, verdicts, verdicts_per_pair)


def _worth(pair: Pair, response: Response) -> float:
    return gold_score(pair.prompt, response.text, response.finished)
