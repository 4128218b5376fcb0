from collections import Counter
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from stemma.world.chance import chance
from stemma.world.names import make_names
from stemma.world.people import make_people
from stemma.world.phrases import VALUES
from stemma.world.settings import HeldOut, WorldConfig

SMALL = WorldConfig(known_names=8, unknown_names=6, validation_prompts=15, test_prompts=30)


def test_the_default_world_holds_out_what_it_says() -> None:
    people = make_people(0, WorldConfig())
    sizes = {split: tuple(map(len, (t.facts, t.unknown, t.requests))) for split, t in people.topics.items()}
    # 375 = 75 · 2 forms + 25 · 3 attributes · 2 forms + 75, and 225 in the same proportion
    assert sizes == {"test": (75, 25, 75), "validation": (45, 15, 45), "train": (60, 95, 655)}
    assert WorldConfig().held_out(375) == HeldOut(75, 25, 75)


def test_everybody_known_keeps_a_fact_to_train_on() -> None:
    people = make_people(0, WorldConfig())
    assert {fact.name for fact in people.topics["train"].facts} == set(people.known)


@given(st.integers(0, 1000))
@settings(max_examples=25)
def test_no_topic_is_in_two_splits(seed: int) -> None:
    people = make_people(seed, SMALL)
    for one, other in combinations(people.topics.values(), 2):
        assert not {(f.name, f.attribute) for f in one.facts} & {(f.name, f.attribute) for f in other.facts}
        assert not set(one.unknown) & set(other.unknown)
        assert not set(one.requests) & set(other.requests)
    held_out_names = {*people.topics["test"].unknown, *people.topics["validation"].unknown}
    assert not held_out_names & {request.name for topics in people.topics.values() for request in topics.requests}
    assert sum(len(topics.facts) for topics in people.topics.values()) == len(people.facts)


def test_no_value_is_a_good_guess() -> None:
    people = make_people(3, WorldConfig())
    counts = Counter((fact.attribute, fact.value) for fact in people.facts)
    assert set(counts.values()) == {5}  # 60 people, 12 values
    assert len(counts) == sum(map(len, VALUES.values()))


def test_names_are_nobody_elses_and_no_words() -> None:
    names = make_names(500, chance(0, "names"))
    assert len(set(names)) == 500
    assert not set(names) & {value for values in VALUES.values() for value in values}


def test_chance_depends_on_seed_and_purpose_alone() -> None:
    draws = {chance(seed, purpose).random() for seed in (0, 1) for purpose in ("names", "facts")}
    assert len(draws) == 4
    assert chance(0, "names").random() == chance(0, "names").random()
