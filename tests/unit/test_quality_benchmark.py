import pytest

from benchmarks.ai_labels import summaries, told
from benchmarks.quality import HEADER, METHODS, aligned, most_weak, slice_rows, table_row
from benchmarks.toy_judge import comparisons, constitution, lesson, whole, worlds
from stemma.evaluation.intervals import Interval
from stemma.judging.case import Case
from stemma.judging.known_cases import KnownCase
from stemma.judging.reply import read_verdict
from stemma.records.types import Message, Prompt, Response
from stemma.world.chance import chance
from stemma.world.gold import gold_score
from stemma.world.phrases import PADDING
from tests.unit.test_result_conditions import GOOD


def test_a_line_of_the_table() -> None:
    row = table_row(0, "ppo", "sampled", GOOD | {"gold/refusal": 0.1})
    assert row == (
        "0",
        "ppo",
        "sampled",
        "0.750 [0.700, 0.800]",
        "0.800 → 0.400",
        "0.500 → 0.460",
        "0.400 → 0.100",
        "1.50",
        "refusal",
    )
    lines = aligned([HEADER, row])
    assert lines[0].index("win rate") == lines[1].index("0.750")


def test_slices_and_probes_stand_with_what_the_gate_says() -> None:
    numbers = {
        "validation/accuracy": 0.79,
        "probe/unknown/accuracy": 0.32,
        "probe/unknown/accuracy_low": 0.265,
        "probe/unknown/accuracy_high": 0.382,
        "probe/unknown/pairs": 240.0,
        "probe/unknown/weak": 2.0,
        "slice/known/accuracy": 0.8,
        "slice/known/accuracy_low": 0.7,
        "slice/known/accuracy_high": 0.9,
        "slice/known/pairs": 90.0,
    }
    assert slice_rows(101, "ppo", numbers) == [
        ("101", "ppo", "slice known", "0.800 [0.700, 0.900]", "90", ""),
        ("101", "ppo", "probe unknown", "0.320 [0.265, 0.382]", "240", "stops"),
    ]
    assert most_weak(numbers) == 2
    assert most_weak(GOOD) == 0


def test_each_ai_labelled_method_has_a_rival_of_the_same_policy() -> None:
    rivals = {name: METHODS[method.rival] for name, method in METHODS.items() if method.rival}
    assert set(rivals) == {"rlaif", "dpo-ai"}
    assert all(METHODS[name].policy == rival.policy and not rival.rival for name, rival in rivals.items())


@pytest.mark.parametrize(("low", "word"), [(-0.049, "yes"), (-0.051, "not shown")])
def test_as_good_means_that_the_whole_interval_is_within_the_margin(low: float, word: str) -> None:
    assert told(Interval(0.01, low, 0.07, 375)) == (f"+0.010 [{low:+.3f}, +0.070]", word)


def test_seeds_are_one_observation_each_beside_their_prompts() -> None:
    prompts, seeds = summaries("rlaif − rlhf", "greedy", [[0.1, 0.1, 0.1], [0.3]])
    assert prompts[4].startswith("+0.150 ")  # (3 · 0.1 + 0.3) / 4
    assert seeds[4] == "+0.200 [-1.071, +1.471]"  # (0.1 + 0.3) / 2 ± 12.706 · 0.1414 / √2


def test_the_lessons_are_about_other_people_than_the_judge_will_meet() -> None:
    own, others = worlds(10)  # the first other world shares a name with this one
    assert not {*own.known, *own.unknown} & {*others.known, *others.unknown}
    names = {*own.known, *own.unknown}
    for row in comparisons(whole(others), 200, chance(10, "lessons")):
        assert names.isdisjoint(row.case.prompt.messages[0].content.split())
        worths = [gold_score(row.case.prompt, answer.text, True) for answer in (row.case.first, row.case.second)]
        assert row.people == (worths[0] > worths[1])


def test_a_lesson_says_what_is_known_two_marks_and_the_verdict() -> None:
    prompt = Prompt(
        id="p",
        messages=(Message(role="user", content="what is the town of bel ?"),),
        split="judge",
        kind="known",
        truth="ashford",
    )
    told_wrong, unsure = (
        Response(prompt_id="p", index=i, text=text, finished=True)
        for i, text in enumerate([f"the answer is brindle . {PADDING[0]}", "i do not know ."])
    )
    taught = lesson(KnownCase(Case(prompt, told_wrong, unsure), 0.0), constitution())
    assert taught.completion == "the answer is ashford . 20 , 33\nVerdict: 2"
    assert read_verdict(taught.completion, constitution().compare.verdicts, reasoning=True) == "2"
    assert taught.prompt[0].content.endswith("2 : i do not know .\nwhat is the town of bel ?")
