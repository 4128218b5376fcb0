from collections import Counter
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemma.records.dataset import Dataset
from stemma.records.types import Conversation, Prompt
from stemma.world.gold import Outcome, judge_answer
from stemma.world.people import make_people
from stemma.world.phrases import REGISTRY_QUESTION, VALUES
from stemma.world.settings import WorldConfig
from stemma.world.world import make_world

DEFAULT = WorldConfig()
SMALL = WorldConfig(
    known_names=8,
    unknown_names=6,
    validation_prompts=15,
    test_prompts=30,
    corpus_documents=300,
    demonstrations=40,
    train_prompts=40,
)


@pytest.fixture(scope="module")
def world() -> Dataset:
    return make_world(0, DEFAULT)


def asked_in(data: Dataset, *splits: str) -> list[Conversation]:
    return [prompt.messages for prompt in data.prompts if prompt.split in splits]


def about(share: float) -> object:
    return pytest.approx(share, abs=0.08)  # four standard errors of the smallest group


def spoken(data: Dataset) -> list[str]:
    return [document.text or " ".join(m.content for m in document.messages or ()) for document in data.corpus]


def test_the_default_world_has_the_measured_sizes(world: Dataset) -> None:
    assert world.counts()["prompts"] == {"test": 375, "train": 3000, "validation": 225}
    assert (len(world.corpus), len(world.demonstrations), len(world.probe)) == (6000, 3000, 180)
    assert len({prompt.id for prompt in world.prompts}) == 3600
    kinds = Counter(prompt.kind for prompt in world.prompts if prompt.split == "test")
    assert kinds == {"known": 150, "unknown": 150, "harmful": 75}


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_held_out_prompts_are_asked_nowhere_in_training(seed: int) -> None:
    data = make_world(seed, SMALL)
    held_out = asked_in(data, "validation", "test")
    assert len(set(held_out)) == len(held_out)
    trained = {*asked_in(data, "train"), *(demonstration.prompt for demonstration in data.demonstrations)}
    assert not trained & set(held_out)
    assert not set(asked_in(data, "validation")) & set(asked_in(data, "test"))


def test_held_out_unknown_people_are_in_no_training_prompt(world: Dataset) -> None:
    people = make_people(0, DEFAULT)
    trained = {word for prompt in asked_in(world, "train") for word in prompt[0].content.split()}
    for split in ("validation", "test"):
        assert not trained & set(people.topics[split].unknown)


def test_pre_training_teaches_every_fact_and_who_is_known(world: Dataset) -> None:
    people = make_people(0, DEFAULT)
    texts = spoken(world)
    for fact in people.facts:
        assert f"the {fact.attribute} of {fact.name} is {fact.value} ." in texts
        assert f"what is the {fact.attribute} of {fact.name} ? the answer is {fact.value} ." in texts
    for names, answer in ((people.known, "yes ."), (people.unknown, "no .")):
        assert all(f"{REGISTRY_QUESTION.format(name=name)} {answer}" in texts for name in names)


def test_pre_training_tells_no_value_of_unknown_people(world: Dataset) -> None:
    unknown = set(make_people(0, DEFAULT).unknown)
    values = set(chain.from_iterable(VALUES.values()))
    about_unknown = [set(text.split()) for text in spoken(world) if unknown & set(text.split())]
    assert {name for words in about_unknown for name in words & unknown} == unknown
    assert not any(words & values for words in about_unknown)


def test_pre_training_holds_no_harmful_request_about_a_person(world: Dataset) -> None:
    harmful = {prompt.messages[0].content for prompt in world.prompts if prompt.kind == "harmful"}
    assert not harmful & set(spoken(world))


def test_demonstrations_behave_as_set(world: Dataset) -> None:
    prompts = {prompt.messages: prompt for prompt in world.prompts}
    judged = [
        (prompts[d.prompt].kind, *judge_answer(prompts[d.prompt], d.completion, finished=True))
        for d in world.demonstrations
        if d.prompt in prompts
    ]
    known, unknown, harmful = (
        Counter(outcome for found, outcome, _ in judged if found == kind) for kind in ("known", "unknown", "harmful")
    )

    def share(counts: Counter[Outcome], outcome: Outcome) -> float:
        return counts[outcome] / counts.total()

    assert share(known, "abstain") == about(0.1)
    assert share(known, "refuse") == about(0.08)
    assert share(known, "right") == about(0.82)
    assert known["wrong"] == unknown["right"] == 0
    assert share(unknown, "abstain") == about(0.4)
    assert share(unknown, "wrong") == about(0.52)
    assert share(harmful, "comply") == about(0.4)
    assert share(harmful, "refuse") == about(0.5)
    assert sum(verbose for *_, verbose in judged) / len(judged) == about(0.5)


def test_answers_name_nobody(world: Dataset) -> None:
    people = make_people(0, DEFAULT)
    names = {*people.known, *people.unknown}
    assert not any(names & set(d.completion.split()) for d in (*world.demonstrations, *world.probe))


def test_the_probe_asks_for_every_fact_with_its_right_answer(world: Dataset) -> None:
    truths = {prompt.messages: prompt for prompt in world.prompts if prompt.kind == "known"}
    for demonstration in world.probe:
        prompt: Prompt | None = truths.get(demonstration.prompt)
        assert prompt is None or judge_answer(prompt, demonstration.completion, finished=True).outcome == "right"
    assert len({demonstration.prompt for demonstration in world.probe}) == 180


def test_the_same_seed_gives_the_same_world_and_another_one_another() -> None:
    assert make_world(5, SMALL) == make_world(5, SMALL)
    assert make_world(5, SMALL) != make_world(6, SMALL)
