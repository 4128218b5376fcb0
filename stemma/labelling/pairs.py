"""Which sampled answers are shown side by side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from stemma.errors import DataError
from stemma.records.json_file import read_json
from stemma.records.types import Prompt, Response
from stemma.world.chance import chance

PAIRS_FILE = "pairs.json"
"""Where a sample artifact says how many pairs of a prompt are labelled."""


@dataclass(frozen=True)
class Pair:
    """Two answers to a prompt, in the order shown."""

    prompt: Prompt
    first: Response
    second: Response


@dataclass(frozen=True)
class Pairing:
    """All pairs, and how many were left out because there was nothing to compare."""

    pairs: tuple[Pair, ...]
    same_text: int
    empty: int
    """A comparison cannot hold an answer without words."""


def pairs_per_prompt(sample: Path) -> int | None:
    """How many pairs of a prompt's answers are labelled at most, as a sample artifact says; None is all."""
    file = sample / PAIRS_FILE
    most: int | None = read_json(file)["pairs"] if file.is_file() else None
    return most


def pair_responses(
    prompts: Mapping[str, Prompt], responses: Iterable[Response], seed: int, most: int | None = None
) -> Pairing:
    """Pair every two answers to the same prompt that have different texts, in a shown order left to chance.

    With `most`, only so many pairs of a prompt: no two of the same texts, those first whose answers share less than
    half of their words, and among these by chance. Two answers that differ in one word teach least.

    Raises DataError where a response is to a prompt that the data does not have.
    """
    pairs = []
    same_text = empty = 0
    for prompt_id, answers in _by_prompt(responses).items():
        if prompt_id not in prompts:
            raise DataError(f"responses are to prompt {prompt_id!r}, which the data does not have; sample again")
        for one, other in combinations(answers, 2):
            if one.text == other.text:
                same_text += 1
            elif not (one.text and other.text):
                empty += 1
            else:
                turned = chance(seed, "shown order", prompt_id, one.index, other.index).random() < 0.5
                pairs.append(Pair(prompts[prompt_id], other, one) if turned else Pair(prompts[prompt_id], one, other))
    return Pairing(tuple(pairs if most is None else _most_telling(pairs, most, seed)), same_text, empty)


def _most_telling(pairs: Iterable[Pair], most: int, seed: int) -> list[Pair]:
    by_prompt: dict[str, dict[frozenset[str], Pair]] = {}
    for pair in pairs:
        by_prompt.setdefault(pair.prompt.id, {}).setdefault(frozenset((pair.first.text, pair.second.text)), pair)

    def rank(pair: Pair) -> tuple[bool, float]:
        indices = sorted((pair.first.index, pair.second.index))
        return _alike(pair), chance(seed, "pairs to label", pair.prompt.id, *indices).random()

    return [pair for different in by_prompt.values() for pair in sorted(different.values(), key=rank)[:most]]


def _alike(pair: Pair) -> bool:
    """Whether two answers share more than half of their words."""
    first, second = set(pair.first.text.split()), set(pair.second.text.split())
    return 2 * len(first & second) > len(first | second)


def _by_prompt(responses: Iterable[Response]) -> dict[str, list[Response]]:
    groups: dict[str, list[Response]] = {}
    for response in responses:
        groups.setdefault(response.prompt_id, []).append(response)
    return groups
