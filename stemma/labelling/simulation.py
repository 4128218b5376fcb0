"""Labels from simulated annotators, for data that has the gold rule."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stemma.labelling.annotators import AnnotatorConfig, Choice, better_answer, give_verdict
from stemma.labelling.pairs import Pair
from stemma.records.types import Comparison, Response, Verdict
from stemma.world.chance import chance
from stemma.world.gold import gold_score


@dataclass(frozen=True)
class JudgedPair:
    """A pair with the right verdict and what annotators said of it; the first of them gave the label."""

    pair: Pair
    truth: Choice
    verdicts: tuple[Verdict, ...]

    def comparison(self) -> Comparison | None:
        """The label; None for a tie."""
        label = self.verdicts[0]
        if label.choice == "tie":
            return None
        chosen, rejected = (label.first, label.second) if label.choice == "first" else (label.second, label.first)
        prompt = self.pair.prompt
        return Comparison(
            prompt_id=prompt.id,
            prompt=prompt.messages,
            chosen=chosen,
            rejected=rejected,
            split=prompt.split,
            annotator=label.annotator,
        )


def judge_pairs(
    pairs: Iterable[Pair], annotators: Sequence[AnnotatorConfig], overlap_share: float, seed: int
) -> list[JudgedPair]:
    """Give each pair to one annotator, and `overlap_share` of them to a second one, so that agreement can be told.

    Raises DataError where a prompt is not of the default world.
    """
    return [_judged(pair, annotators, overlap_share, seed) for pair in pairs]


def _judged(pair: Pair, annotators: Sequence[AnnotatorConfig], overlap_share: float, seed: int) -> JudgedPair:
    draw = chance(seed, "verdicts", pair.prompt.id, pair.first.index, pair.second.index)
    truth = better_answer(_worth(pair, pair.first), _worth(pair, pair.second))
    asked = draw.sample(annotators, min(len(annotators), 1 + (draw.random() < overlap_share)))
    verdicts = tuple(
        Verdict(
            prompt_id=pair.prompt.id,
            annotator=annotator.name,
            first=pair.first.text,
            second=pair.second.text,
            choice=give_verdict(annotator, pair.first.text, pair.second.text, truth, draw),
        )
        for annotator in asked
    )
    return JudgedPair(pair, truth, verdicts)


def _worth(pair: Pair, response: Response) -> float:
    return gold_score(pair.prompt, response.text, response.finished)
