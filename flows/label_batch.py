"""The batch that people are asked to label: pairs of a run's fresh samples, some of them with a known answer."""

import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from flows.settings import FlowSettings
from stemma.errors import LabelError
from stemma.labelling.annotators import better_answer
from stemma.labelling.pairs import Pair, pair_responses
from stemma.labelling.store.batch import NewBatch, NewItem
from stemma.records.json_file import read_json
from stemma.records.jsonl import read_rows
from stemma.records.types import Prompt, Response
from stemma.stage.definition import ARTIFACTS
from stemma.world.chance import chance
from stemma.world.gold import gold_score


def batch_of_samples(workspace: Path, settings: FlowSettings, guidelines: str, source: dict[str, str]) -> NewBatch:
    """Pairs of the workspace's samples, in an order left to chance, as a batch named after the run.

    Raises LabelError where there is no pair to compare.
    """
    human = settings.human
    pairs = _drawn_pairs(workspace, settings)
    if not pairs:
        raise LabelError(
            "no two answers to a prompt differ, so there is nothing to label; sample more answers a prompt"
        )
    tests = _tests(workspace, pairs, human.gold_share)
    return NewBatch(
        id=source["run"],
        items=tuple(_item(pair, tests.get(place)) for place, pair in enumerate(pairs)),
        guidelines=guidelines,
        overlap=human.overlap,
        gold_share=human.gold_share,
        source=source,
    )


def _drawn_pairs(workspace: Path, settings: FlowSettings) -> list[Pair]:
    prompts = {prompt.id: prompt for prompt in read_rows(workspace / ARTIFACTS / "data" / "prompts.jsonl", Prompt)}
    responses = read_rows(workspace / ARTIFACTS / "sample" / "responses.jsonl", Response)
    pairs = list(pair_responses(prompts, responses, settings.seed).pairs)
    chance(settings.seed, "batch").shuffle(pairs)
    return pairs[: settings.human.pairs]


def _tests(workspace: Path, pairs: Sequence[Pair], share: float) -> dict[int, int]:
    """A share of the pairs that test the annotators, where the world says which answer is better: index by place."""
    if not read_json(workspace / ARTIFACTS / "data" / "report.json")["gold"]:
        return {}
    better = (
        (place, better_answer(_worth(pair, pair.first), _worth(pair, pair.second))) for place, pair in enumerate(pairs)
    )
    told = ((place, int(answer == "second")) for place, answer in better if answer != "tie")
    return dict(islice(told, math.floor(share * len(pairs))))


def _item(pair: Pair, gold: int | None) -> NewItem:
    answers = (pair.first, pair.second)
    return NewItem(
        prompt_id=pair.prompt.id,
        prompt=pair.prompt.messages,
        answers=tuple(answer.text for answer in answers),
        gold=gold,
        origin={"responses": [answer.index for answer in answers]},
    )


def _worth(pair: Pair, response: Response) -> float:
    return gold_score(pair.prompt, response.text, response.finished)
