from pathlib import Path

import pytest

from stemma.errors import DataError
from stemma.labelling.pairs import pair_responses, pairs_per_prompt
from stemma.records.json_file import write_json
from stemma.records.types import Message, Prompt, Response

PROMPTS = {
    name: Prompt(id=name, messages=(Message(role="user", content="q"),), split="train", kind="unknown")
    for name in ("a", "b")
}


def answers(prompt_id: str, *texts: str) -> list[Response]:
    return [Response(prompt_id=prompt_id, index=index, text=text, finished=True) for index, text in enumerate(texts)]


def test_every_two_different_answers_to_a_prompt_are_paired() -> None:
    pairing = pair_responses(PROMPTS, answers("a", "x", "y", "z") + answers("b", "x", "y"), seed=0)
    assert [{pair.first.text, pair.second.text} for pair in pairing.pairs] == [
        {"x", "y"},
        {"x", "z"},
        {"y", "z"},
        {"x", "y"},
    ]
    assert [pair.prompt.id for pair in pairing.pairs] == ["a", "a", "a", "b"]


def test_equal_and_empty_answers_are_counted_instead() -> None:
    pairing = pair_responses(PROMPTS, answers("a", "x", "x", ""), seed=0)
    assert (pairing.pairs, pairing.same_text, pairing.empty) == ((), 1, 2)


def test_the_shown_order_is_left_to_chance_and_the_seed() -> None:
    prompts = {str(n): PROMPTS["a"].model_copy(update={"id": str(n)}) for n in range(400)}
    responses = [response for name in prompts for response in answers(name, "x", "y")]
    shown = [pair.first.text for pair in pair_responses(prompts, responses, seed=0).pairs]
    assert shown == [pair.first.text for pair in pair_responses(prompts, responses, seed=0).pairs]
    assert shown.count("x") == pytest.approx(200, abs=40)  # four standard errors


def test_an_answer_to_nothing_is_told() -> None:
    with pytest.raises(DataError, match="responses are to prompt 'c', which the data does not have; sample again"):
        pair_responses(PROMPTS, answers("c", "x", "y"), seed=0)


def test_of_many_pairs_those_that_share_few_words_are_labelled() -> None:
    """Eight answers, one of which differs from the others in more than a word: each of its pairs teaches more."""
    told = [f"the answer is {value} ." for value in ("amber", "black", "blue", "brown", "green", "grey", "amber")]
    responses = answers("a", *told, "i do not know .")
    pairs = pair_responses(PROMPTS, responses, seed=0, most=4).pairs
    assert len(pairs) == 4
    assert all("i do not know ." in (pair.first.text, pair.second.text) for pair in pairs)
    assert len({frozenset((pair.first.text, pair.second.text)) for pair in pairs}) == 4
    assert pairs == pair_responses(PROMPTS, responses, seed=0, most=4).pairs
    everything = pair_responses(PROMPTS, responses, seed=0, most=100).pairs
    assert len(everything) == 21  # of seven different texts


def test_a_sample_artifact_says_how_many_pairs_are_labelled(tmp_path: Path) -> None:
    assert pairs_per_prompt(tmp_path) is None
    for most in (2, None):
        write_json(tmp_path / "pairs.json", {"pairs": most})
        assert pairs_per_prompt(tmp_path) == most
