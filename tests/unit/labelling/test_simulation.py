from collections.abc import Sequence

import pytest

from stemma.labelling.aggregation import aggregate, comparisons_of
from stemma.labelling.annotators import AnnotatorConfig
from stemma.labelling.pairs import Pair
from stemma.labelling.simulation import JudgedPair, judge_pairs
from stemma.labelling.tally import count_outcomes, count_splits, tally_errors, wrong_share
from stemma.records.types import Comparison, Message, Prompt, Response, Verdict
from stemma.world.phrases import ABSTENTION, REFUSAL, VALUE_ANSWER

MESSAGES = (Message(role="user", content="q"),)
WRONG, OTHER = VALUE_ANSWER.format(value="red"), VALUE_ANSWER.format(value="blue")
EXACT = AnnotatorConfig(name="exact", noise=0.0)
CONTRARY = AnnotatorConfig(name="contrary", noise=1.0)


def pair(number: int, first: str = WRONG, second: str = ABSTENTION) -> Pair:
    prompt = Prompt(id=str(number), messages=MESSAGES, split="train", kind="unknown")
    one, other = (
        Response(prompt_id=prompt.id, index=index, text=text, finished=True)
        for index, text in enumerate((first, second))
    )
    return Pair(prompt, one, other)


def judge(pairs: Sequence[Pair], *annotators: AnnotatorConfig, overlap: float = 0.0, each: int = 1) -> list[JudgedPair]:
    return judge_pairs(pairs, annotators, each, overlap, seed=0)


def labels_of(judged: Sequence[JudgedPair]) -> list[Comparison]:
    prompts = {one.pair.prompt.id: one.pair.prompt for one in judged}
    return comparisons_of(aggregate([one.voted() for one in judged], "majority"), prompts, soft=False)


def test_a_verdict_becomes_a_label() -> None:
    judged = judge([pair(0)], EXACT)
    assert [verdict for one in judged for verdict in one.verdicts] == [
        Verdict(prompt_id="0", annotator="exact", first=WRONG, second=ABSTENTION, choice="second")
    ]
    assert labels_of(judged) == [
        Comparison(
            prompt_id="0", prompt=MESSAGES, chosen=ABSTENTION, rejected=WRONG, split="train", kind="unknown",
            annotator="exact",
        )
    ]  # fmt: skip


def test_an_unfinished_answer_loses() -> None:
    cut = Response(prompt_id="0", index=1, text="i do not", finished=False)
    shown = pair(0)
    (judged,) = judge([Pair(shown.prompt, shown.first, cut)], EXACT)
    assert judged.truth == "first"


def test_ties_are_kept_as_verdicts_and_give_no_label() -> None:
    judged = judge([pair(0, WRONG, OTHER), pair(1)], CONTRARY)
    assert [one.verdicts[0].choice for one in judged] == ["tie", "first"]
    assert count_splits(labels_of(judged)) == {"train": 1}
    labels = aggregate([one.voted() for one in judged], "majority")
    prompts = {one.pair.prompt.id: one.pair.prompt for one in judged}
    assert count_outcomes(labels, prompts) == {"compared": {"train": 1}, "tie": {"train": 1}}


def test_the_tally_tells_errors() -> None:
    judged = judge([pair(n) for n in range(20)] + [pair(20, WRONG, OTHER)], EXACT, CONTRARY, overlap=1.0)
    wrong = sum(one.verdicts[0].annotator == "contrary" for one in judged[:20])
    assert tally_errors(judged, labels_of(judged)) == {
        "annotators": {
            "contrary": {"verdicts": 20, "flips": 20, "flip_share": 1.0},
            "exact": {"verdicts": 20, "flips": 0, "flip_share": 0.0},
        },
        "all_annotators": {"verdicts": 40, "flips": 20, "flip_share": 0.5},
        "labels": {"pairs": 20, "wrong": wrong, "wrong_share": wrong / 20},
    }


def test_the_first_annotator_gives_the_label() -> None:
    judged = judge([pair(n) for n in range(50)], EXACT, CONTRARY, overlap=1.0)
    for one, label in zip(judged, labels_of(judged), strict=True):
        assert label.annotator == one.verdicts[0].annotator
        assert (label.chosen == ABSTENTION) == (label.annotator == "exact")
    assert {one.verdicts[0].annotator for one in judged} == {"exact", "contrary"}


def test_one_annotator_alone_has_nobody_to_agree_with() -> None:
    judged = judge([pair(0)], EXACT, overlap=1.0)
    labels = aggregate([one.voted() for one in judged], "majority")
    assert wrong_share(labels, [one.measured() for one in judged]) is None


def test_the_share_of_wrong_labels_is_told_from_overlap() -> None:
    people = [AnnotatorConfig(name=name, noise=0.2) for name in ("a", "b", "c")]
    judged = judge([pair(n) for n in range(2000)], *people, overlap=0.5)
    labels = aggregate([one.voted() for one in judged], "majority")
    assert wrong_share(labels, [one.measured() for one in judged]) == pytest.approx(0.2, abs=0.03)


def test_several_make_a_label_and_one_more_measures() -> None:
    people = [AnnotatorConfig(name=name) for name in ("a", "b", "c", "d")]
    judged = judge([pair(n) for n in range(20)], *people, overlap=1.0, each=2)
    assert {(len(one.voted().verdicts), len(one.measured().verdicts)) for one in judged} == {(2, 3)}
    assert all(len({verdict.annotator for verdict in one.verdicts}) == 3 for one in judged)


def test_the_overlap_is_about_its_share() -> None:
    judged = judge([pair(n) for n in range(1000)], EXACT, CONTRARY, overlap=0.1)
    assert sum(len(one.verdicts) == 2 for one in judged) == pytest.approx(100, abs=40)  # four standard errors


def test_a_verdict_depends_on_its_pair_and_not_on_the_others() -> None:
    everybody = (EXACT, CONTRARY, AnnotatorConfig(name="unsure", noise=0.5))
    pairs = [pair(n, REFUSAL) for n in range(30)]
    assert judge(pairs, *everybody)[10:] == judge(pairs[10:], *everybody)


def test_verdicts_and_labels_carry_which_answer_was_cut() -> None:
    cut = Response(prompt_id="0", index=1, text="i do not", finished=False)
    shown = pair(0)
    judged = judge([Pair(shown.prompt, shown.first, cut), Pair(shown.prompt, cut, shown.first)], EXACT)
    said = [(one.verdicts[0].first_finished, one.verdicts[0].second_finished) for one in judged]
    assert said == [(True, False), (False, True)]
    assert [(row.chosen_finished, row.rejected_finished) for row in labels_of(judged)] == [(True, False)] * 2
    assert tally_errors(judged, labels_of(judged))["labels"] == {"pairs": 2, "wrong": 0, "wrong_share": 0.0}
