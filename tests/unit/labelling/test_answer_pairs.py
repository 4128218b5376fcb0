import pytest

from stemma.errors import DataError
from stemma.labelling.pairs import pair_responses
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
