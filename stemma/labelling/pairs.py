"""Which sampled answers are shown side by side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from stemma.errors import DataError
from stemma.records.types import Prompt, Response
from stemma.world.chance import chance


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


def pair_responses(prompts: Mapping[str, Prompt], responses: Iterable[Response], seed: int) -> Pairing:
    """Pair every two answers to the same prompt that have different texts, in a shown order left to chance.

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
    return Pairing(tuple(pairs), same_text, empty)


def _by_prompt(responses: Iterable[Response]) -> dict[str, list[Response]]:
    groups: dict[str, list[Response]] = {}
    for response in responses:
        groups.setdefault(response.prompt_id, []).append(response)
    return groups
