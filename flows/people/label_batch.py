"""The batch that people are asked to label: pairs of a run's fresh samples, some of them with a known answer."""

import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from flows.settings import FlowSettings
from stemma.errors import LabelError
from stemma.labelling.annotators import better_answer
from stemma.labelling.ordering import Place, places, uncertainty
from stemma.labelling.pairs import Pair, pair_responses, pairs_per_prompt
from stemma.labelling.store.batch import NewBatch, NewItem
from stemma.records.json_file import read_json
from stemma.records.jsonl import read_rows
from stemma.records.types import Prompt, Response, Verdict
from stemma.stage.definition import ARTIFACTS
from stemma.world.chance import chance
from stemma.world.gold import gold_score

RANDOM_SHARE = 0.2
"""Of pairs in an order that is not left to chance: what is measured on these alone holds for all."""
SUREST = 1e-9


class _Asked(NamedTuple):
    pair: Pair
    place: Place


def batch_of_samples(workspace: Path, settings: FlowSettings, guidelines: str, source: dict[str, str]) -> NewBatch:
    """Pairs of the workspace's samples, in the order of the settings, as a batch named after the run.

    Raises LabelError where there is no pair to compare, or the order needs verdicts of judges and there are none.
    """
    human, artifacts = settings.human, workspace / ARTIFACTS
    pairs = _pairs(artifacts, settings.seed)
    if not pairs:
        raise LabelError(
            "no two answers to a prompt differ, so there is nothing to label; sample more answers a prompt"
        )
    asked = [_Asked(*both) for both in zip(pairs, _places(artifacts, pairs, settings), strict=True)]
    asked = sorted(asked, key=lambda one: -one.place.priority)[: human.pairs]
    tests = _tests(artifacts, [one.pair for one in asked], human.gold_share, settings.seed)
    return NewBatch(
        id=source["run"],
        items=tuple(_item(one, tests.get(number)) for number, one in enumerate(asked)),
        guidelines=guidelines,
        overlap=human.overlap,
        gold_share=human.gold_share,
        source=source,
    )


def _pairs(artifacts: Path, seed: int) -> list[Pair]:
    prompts = {prompt.id: prompt for prompt in read_rows(artifacts / "data" / "prompts.jsonl", Prompt)}
    responses = read_rows(artifacts / "sample" / "responses.jsonl", Response)
    return list(pair_responses(prompts, responses, seed, pairs_per_prompt(artifacts / "sample")).pairs)


def _places(artifacts: Path, pairs: Sequence[Pair], settings: FlowSettings) -> list[Place]:
    if settings.human.order == "random":
        return places([0.0] * len(pairs), 1.0, settings.seed)
    return places(_unsureness(artifacts, pairs), RANDOM_SHARE, settings.seed)


def _unsureness(artifacts: Path, pairs: Sequence[Pair]) -> list[float]:
    """How unsure the AI judges are of each pair, 0 to 1 bit: the entropy of their mean preference.

    It is high where each of them is unsure, and where they contradict each other.
    """
    told: dict[tuple[str, str, str], list[float]] = {}
    for verdict in read_rows(artifacts / "ai_label" / "verdicts.jsonl", Verdict):
        if verdict.probability is not None:
            told.setdefault((verdict.prompt_id, verdict.first, verdict.second), []).append(verdict.probability)
            told.setdefault((verdict.prompt_id, verdict.second, verdict.first), []).append(1 - verdict.probability)
    if not told:
        raise LabelError(
            "human.order is uncertain, but no judge of ai_label says how likely an answer is the better one"
        )
    # Where no judge could tell, nobody is less sure.
    preferences = [told.get((pair.prompt.id, pair.first.text, pair.second.text), [0.5]) for pair in pairs]
    return [uncertainty(_log_odds(fmean(chances))) for chances in preferences]


def _log_odds(chance_of_first: float) -> float:
    bounded = min(max(chance_of_first, SUREST), 1 - SUREST)
    return math.log(bounded / (1 - bounded))


def _tests(artifacts: Path, pairs: Sequence[Pair], share: float, seed: int) -> dict[int, int]:
    """A share of the pairs, drawn by chance, that test annotators: the better answer's index by the pair's number.

    There are none where no world says which answer is better.
    """
    if not read_json(artifacts / "data" / "report.json")["gold"]:
        return {}
    numbers = list(range(len(pairs)))
    chance(seed, "tests of annotators").shuffle(numbers)
    better = ((number, better_answer(*_worths(pairs[number]))) for number in numbers)
    told = ((number, int(answer == "second")) for number, answer in better if answer != "tie")
    return dict(islice(told, math.floor(share * len(pairs))))


def _worths(pair: Pair) -> tuple[float, float]:
    first, second = (gold_score(pair.prompt, answer.text, answer.finished) for answer in (pair.first, pair.second))
    return first, second


def _item(asked: _Asked, gold: int | None) -> NewItem:
    answers = (asked.pair.first, asked.pair.second)
    return NewItem(
        prompt_id=asked.pair.prompt.id,
        prompt=asked.pair.prompt.messages,
        answers=tuple(answer.text for answer in answers),
        finished=tuple(answer.finished for answer in answers),
        gold=gold,
        priority=asked.place.priority,
        origin={"responses": [answer.index for answer in answers], "at_random": asked.place.at_random},
    )
