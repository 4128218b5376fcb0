import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.evaluation.intervals import wilson
from stemma.judging.check import Asked, Trial, as_values, check, side, trial_of_verdict
from stemma.judging.check_page import Judged, as_json, html, page
from stemma.judging.check_plot import calibration_png
from stemma.judging.known_cases import from_comparison, from_comparisons
from stemma.judging.labelled import Labels, read_labels, trials
from stemma.records.jsonl import write_rows
from stemma.records.types import Comparison, Verdict
from tests.tiny import conversation


def trial(
    people: float, judge: float, *asked: tuple[str, float], first: str = "long answer", second: str = "short"
) -> Trial:
    return Trial(first, second, people, judge, tuple(Asked(order, chance) for order, chance in asked))


BOTH = ("first_second", "second_first")


def test_the_numbers_by_hand() -> None:
    found = check(
        [
            trial(1, 0.9, (BOTH[0], 0.95), (BOTH[1], 0.85)),  # right, steady
            trial(0, 0.6, (BOTH[0], 0.9), (BOTH[1], 0.3)),  # wrong, turns with the order
            trial(1, 0.5, (BOTH[0], 1.0), (BOTH[1], 0.0)),  # a tie: half right, turns
            trial(0, 0.2, (BOTH[0], 0.2), (BOTH[1], 0.2)),  # right, steady
            trial(0.5, 0.9, (BOTH[0], 0.9), (BOTH[1], 0.9)),  # people say that they are equal
        ]
    )
    assert (found.pairs, found.people_ties) == (4, 1)
    assert found.agreement == wilson(2.5, 4)
    assert found.flips == wilson(2, 4)
    # Shown first was preferred: in the first order of pairs 1, 2 and 3; in the second order, of pairs 2, 3 and 4.
    assert found.shown_first == wilson(6, 8)
    assert found.judge_longer == wilson(2.5, 4)
    assert found.people_longer == wilson(2, 4)
    assert found.consistency is None
    # Bins: 0.2 -> people 0; 0.5 -> 1; 0.6 -> 0; 0.9 -> 1.
    assert found.calibration_error == pytest.approx((0.2 + 0.5 + 0.6 + 0.1) / 4)
    assert [row.pairs if row else 0 for row in found.bins] == [0, 0, 1, 0, 0, 1, 1, 0, 0, 1]


def test_samples_of_one_order_tell_self_consistency() -> None:
    same = [(BOTH[0], 1.0), (BOTH[0], 0.9), (BOTH[1], 1.0), (BOTH[1], 0.2)]
    assert check([trial(1, 0.8, *same)]).consistency == wilson(1, 2)


def test_members_of_a_panel_who_differ_are_not_one_who_changes_its_mind() -> None:
    def origin(*chances: float) -> dict[str, object]:
        return {"orders": [{"order": BOTH[0], "probability": chance} for chance in chances]}

    told = {"members": {"a": {"probability": 1, **origin(1.0)}, "b": {"probability": 0, **origin(0.0)}}}
    panel = verdict("p", "a", "b", "tie", judge="panel", probability=0.5, origin=told)
    assert check([trial_of_verdict(panel, 1.0)]).consistency is None
    told["members"]["b"] |= origin(0.0, 1.0)
    assert check([trial_of_verdict(panel.model_copy(update={"origin": told}), 1.0)]).consistency == wilson(0, 1)


def test_nothing_to_compare_gives_no_numbers() -> None:
    found = check([])
    assert found.agreement is None
    assert found.calibration_error is None
    assert as_values(found)["pairs"] == 0


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.floats(0, 1)), min_size=1, max_size=40))
def test_turning_every_pair_round_changes_no_leaning(rows: list[tuple[float, float]]) -> None:
    one = check([trial(people, judge) for people, judge in rows])
    other = check([trial(1 - people, 1 - judge, first="short", second="long answer") for people, judge in rows])
    assert one.agreement
    assert other.agreement
    assert one.agreement.estimate == pytest.approx(other.agreement.estimate)
    assert one.judge_longer
    assert other.judge_longer
    assert one.judge_longer.estimate == pytest.approx(other.judge_longer.estimate)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_a_judge_that_says_what_people_say_has_no_error_and_full_agreement(chances: list[float]) -> None:
    found = check([trial(side(chance), side(chance)) for chance in chances if chance != 0.5] or [trial(1, 1)])
    assert found.calibration_error == 0
    assert found.agreement
    assert found.agreement.estimate == 1


def verdict(prompt: str, first: str, second: str, choice: str, **more: object) -> Verdict:
    return Verdict.model_validate({"prompt_id": prompt, "first": first, "second": second, "choice": choice, **more})


def test_people_and_judges_meet_on_a_pair_whichever_way_round(tmp_path: Path) -> None:
    (tmp_path / "ai_label").mkdir()
    (tmp_path / "label").mkdir()
    people = [
        verdict("p", "a", "b", "first", annotator="ada"),
        verdict("p", "b", "a", "second", annotator="ben"),
        verdict("p", "b", "a", "first", annotator="cleo"),
        verdict("p", "a", "b", "skip", annotator="dan"),
    ]
    judged = verdict("p", "b", "a", "second", judge="toy", probability=0.25)
    write_rows(tmp_path / "label" / "verdicts.jsonl", [*people, judged])
    write_rows(tmp_path / "ai_label" / "verdicts.jsonl", [judged, verdict("q", "a", "b", "tie", judge="toy")])
    labels = read_labels(tmp_path, None, str(tmp_path / "label"))  # type: ignore[arg-type]
    assert labels.people()["p", "a", "b"] == pytest.approx(2 / 3)
    (found,) = trials(labels.judged()["toy"], labels.people())
    assert found.people == pytest.approx(1 / 3)
    assert found.judge == 0.25
    assert check([found]).agreement == wilson(1, 1)


def comparison(number: int, split: str = "validation", **more: object) -> Comparison:
    row = {"prompt_id": f"p{number}", "prompt": conversation("q"), "chosen": "good", "rejected": "bad", "split": split}
    return Comparison.model_validate({**row, **more})


def test_comparisons_stand_in_where_nobody_gave_verdicts() -> None:
    rows = (comparison(0), comparison(1, judge="toy"))
    labels = Labels("here", (), rows)
    assert labels.people() == {("p0", "good", "bad"): 1.0, ("p0", "bad", "good"): 0.0}
    (known,) = labels.known_cases(0)
    assert known.people == (known.case.first.text == "good")


def test_what_several_judges_made_together_is_no_label_of_people() -> None:
    by_judges = comparison(0, origin={"verdicts": {"judges": {"one": 1, "other": 1}}})
    by_both = comparison(1, annotator="ada", origin={"verdicts": {"annotators": {"ada": 1}, "judges": {"one": 1}}})
    by_people = comparison(2, origin={"verdicts": {"annotators": {"ada": 1, "ben": 1}}})
    labels = Labels("here", (), (by_judges, by_both, by_people))
    assert {prompt for prompt, *_ in labels.people()} == {"p2"}
    assert [known.case.prompt.id for known in labels.known_cases(0)] == ["p2"]
    assert [known.case.prompt.id for known in from_comparisons(labels.comparisons, 9, 0)] == ["p2"]


def test_held_out_comparisons_come_in_both_orders_and_only_from_people() -> None:
    rows = [comparison(number) for number in range(60)]
    others = [comparison(99, split="train"), comparison(98, judge="toy")]
    known = from_comparisons([*rows, *others], 50, seed=1)
    assert len(known) == 50
    assert {row.case.prompt.id for row in known} <= {row.prompt_id for row in rows}
    assert 10 < sum(row.people for row in known) < 40
    assert all((row.case.first.text == "good") == (row.people == 1) for row in known)
    assert from_comparison(rows[0], 1) == from_comparison(rows[0], 1)


def test_a_verdict_without_a_probability_is_certain() -> None:
    assert trial_of_verdict(verdict("p", "a", "b", "second", judge="toy"), 1.0).judge == 0
    assert trial_of_verdict(verdict("p", "a", "b", "tie", judge="toy"), 1.0).judge == 0.5


def test_the_page_names_the_judge_its_numbers_and_the_bar() -> None:
    checked = check([trial(1, 0.9), trial(0, 0.8)])
    judged = Judged("<toy>", checked, None, passes=False)
    assert "agreement with people           0.500 [0.095, 0.905]   UNDER THE BAR of 0.6" in page("run x", [judged], 0.6)
    picture = calibration_png("toy", checked)
    assert picture.startswith(b"\x89PNG")
    assert picture == calibration_png("toy", checked)
    shown = html("run x", [judged], 0.6, {"<toy>": picture})
    assert "&lt;toy&gt;" in shown
    assert "<toy>" not in shown
    assert json.loads(json.dumps(as_json("run x", [judged], 0.6)))["judges"][0]["agreement"]["n"] == 2
