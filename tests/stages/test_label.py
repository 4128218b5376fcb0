import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stemma.records.json_file import read_json, write_json
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Comparison, Prompt, Response, Verdict
from stemma.stage.door import run_stage
from stemma.stage.manifest import write_manifest
from stemma.world.gold import gold_score
from stemma.world.phrases import ABSTENTION, REFUSAL, VALUE_ANSWER
from tasks.data import DataConfig, prepare_data
from tasks.label import LabelConfig, label_answers

Project = Callable[..., Path]
WORLD = {
    "known_names": 8,
    "unknown_names": 6,
    "validation_prompts": 15,
    "test_prompts": 30,
    "corpus_documents": 300,
    "demonstrations": 40,
    "train_prompts": 400,
}
ANSWERS = (VALUE_ANSWER.format(value="red"), ABSTENTION, REFUSAL, "", VALUE_ANSWER.format(value="blue"))
DATA, SAMPLE, AI_LABEL, LABEL = (Path("artifacts", name) for name in ("data", "sample", "ai_label", "label"))
EXACT = {"annotators": [{"name": "exact", "noise": 0.0}]}


def sample(*texts: str) -> None:
    """Stand in for the sample stage: the same answers to every prompt; and for ai_label without a judge."""
    prompts = read_rows(DATA / "prompts.jsonl", Prompt)
    SAMPLE.mkdir()
    rows = [
        Response(prompt_id=prompt.id, index=index, text=text, finished=True)
        for prompt in prompts
        for index, text in enumerate(texts)
    ]
    write_rows(SAMPLE / "responses.jsonl", rows)
    write_manifest(SAMPLE, "sample", {"data": DATA})
    judged([])


def judged(verdicts: list[Verdict]) -> None:
    """Stand in for the ai_label stage."""
    AI_LABEL.mkdir(exist_ok=True)
    write_rows(AI_LABEL / "verdicts.jsonl", verdicts)
    write_manifest(AI_LABEL, "ai_label", {"data": DATA, "sample": SAMPLE})


def labelled(verdicts: list[Verdict], batch: object = None) -> None:
    """People's verdicts, as a flow leaves them."""
    folder = Path("inputs/labels")
    folder.mkdir(exist_ok=True)
    write_rows(folder / "verdicts.jsonl", verdicts)
    if batch:
        write_json(folder / "batch.json", batch)


def said(number: int, choice: str, turned: bool = False, prompt: str = "", **more: object) -> Verdict:
    """A verdict on "yes" and "no", answers to one of the prompts."""
    first, second = ("no", "yes") if turned else ("yes", "no")
    row = {"prompt_id": prompt or prompt_ids()[number], "first": first, "second": second, "choice": choice, **more}
    return Verdict.model_validate(row if "judge" in more else {"annotator": "ann", **row})


def prompt_ids() -> list[str]:
    return [prompt.id for prompt in read_rows(DATA / "prompts.jsonl", Prompt)]


def labels() -> list[Comparison]:
    return read_rows(LABEL / "comparisons.jsonl", Comparison)


def make_world(project: Project, label: dict[str, Any], *texts: str) -> None:
    project(data={"world": WORLD}, label=label)
    run_stage("data", DataConfig, prepare_data)
    sample(*texts)


def own_data(project: Project, label: dict[str, Any], rows: list[dict[str, str]]) -> None:
    folder = project(data={"files": ["inputs/data/rows.jsonl"]}, label=label)
    (folder / "inputs" / "data" / "rows.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in [*rows, {"text": "a text"}])
    )
    run_stage("data", DataConfig, prepare_data)
    sample("yes", "no")


def run() -> None:
    run_stage("label", LabelConfig, label_answers)


def fails(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit, match="2"):
        run()
    assert not LABEL.exists()
    return capsys.readouterr().err


def test_exact_annotators_prefer_what_is_worth_more_in_every_split(project: Project) -> None:
    make_world(project, EXACT, *ANSWERS)
    run()
    prompts = {prompt.id: prompt for prompt in read_rows(DATA / "prompts.jsonl", Prompt)}
    labels = read_rows(LABEL / "comparisons.jsonl", Comparison)
    for label in labels:
        prompt = prompts[label.prompt_id]
        assert (label.split, label.prompt, label.annotator) == (prompt.split, prompt.messages, "exact")
        assert gold_score(prompt, label.chosen, True) > gold_score(prompt, label.rejected, True)
    report = read_json(LABEL / "report.json")
    assert set(report["pairs"]) == {"train", "validation", "test"}
    assert sum(report["pairs"].values()) == len(labels)
    ties = [verdict for verdict in read_rows(LABEL / "verdicts.jsonl", Verdict) if verdict.choice == "tie"]
    assert len(ties) == sum(report["outcomes"]["tie"].values()) > 0
    assert report["empty"] == 4 * len(prompts)
    assert report["same_text"] == 0


def test_the_default_annotators_err_on_about_one_pair_in_ten(project: Project) -> None:
    make_world(project, {}, *ANSWERS[:3])
    run()
    report = read_json(LABEL / "report.json")
    errors = report["errors"]
    assert set(errors["annotators"]) == set(report["labellers"]) == {"simulated-1", "simulated-2", "simulated-3"}
    assert errors["all_annotators"]["verdicts"] > 1000
    assert errors["all_annotators"]["flip_share"] == pytest.approx(0.1, abs=0.035)
    assert report["disagreement"]["couples"] > 50
    assert 0.4 < report["alpha"]["low"] < report["alpha"]["high"] < 0.95
    assert {tuple(kappa["labellers"]) for kappa in report["kappa"]} == {
        ("simulated-1", "simulated-2"),
        ("simulated-1", "simulated-3"),
        ("simulated-2", "simulated-3"),
    }
    assert report["label_smoothing"] == pytest.approx(errors["labels"]["wrong_share"], abs=0.05)


def test_the_same_seed_gives_the_same_bytes(project: Project) -> None:
    make_world(project, {}, *ANSWERS)
    made = []
    for _ in range(2):
        run()
        made.append({path.name: path.read_bytes() for path in sorted(LABEL.iterdir())})
    assert made[0] == made[1]


def test_recorded_comparisons_pass_through(project: Project) -> None:
    rows = [{"prompt": f"q {n}", "chosen": "yes", "rejected": "no"} for n in range(40)]
    own_data(project, {"source": "recorded"}, rows)
    run()
    assert (LABEL / "comparisons.jsonl").read_bytes() == (DATA / "comparisons.jsonl").read_bytes()
    assert (LABEL / "verdicts.jsonl").read_bytes() == b""
    report = read_json(LABEL / "report.json")
    assert report["source"] == "recorded"
    assert set(report["pairs"]) == {"train", "judge", "validation", "test"}


def test_what_the_data_says_of_a_recorded_label_is_kept(project: Project) -> None:
    own_data(project, {"source": "recorded"}, [{"prompt": "q", "chosen": "yes", "rejected": "no"}])
    (row,) = read_rows(DATA / "comparisons.jsonl", Comparison)
    told = row.model_copy(
        update={"annotator": "w7", "probability": 0.8, "weight": 0.5, "origin": {"worker": "w7", "time": "noon"}}
    )
    write_rows(DATA / "comparisons.jsonl", [told])
    write_manifest(DATA, "data", {})
    judged([])
    run()
    assert labels() == [told]


def test_recorded_labels_need_comparisons(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    own_data(project, {"source": "recorded"}, [{"prompt": "q 0"}, {"prompt": "q 1"}, {"prompt": "q 2"}])
    assert "label.source is `recorded`, but the data holds no comparisons; add a file" in fails(capsys)


def test_simulated_labels_need_the_gold_rule(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    own_data(project, {}, [{"prompt": f"q {n}", "chosen": "yes", "rejected": "no"} for n in range(9)])
    assert "only the default world says what an answer is worth; set label.source to recorded" in fails(capsys)


def test_answers_of_equal_worth_stop_the_run(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    make_world(project, {}, "nonsense .", "more nonsense .")
    assert "none of 445 pairs of answers differ in worth" in fails(capsys)


def test_annotators_of_one_name_are_refused(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    make_world(project, {"annotators": [{"name": "a"}, {"name": "a"}]}, *ANSWERS)
    assert "two annotators have the same name; rename one" in fails(capsys)


MANY = {"annotators": [{"name": name, "noise": 0.3} for name in "abcde"], "verdicts_per_pair": 5, "overlap_share": 0.0}


@pytest.mark.parametrize("aggregation", ["majority", "dawid_skene"])
def test_several_verdicts_make_a_better_label_than_one(project: Project, aggregation: str) -> None:
    make_world(project, {**MANY, "aggregation": aggregation}, *ANSWERS[:3])
    run()
    errors = read_json(LABEL / "report.json")["errors"]
    assert errors["all_annotators"]["flip_share"] == pytest.approx(0.3, abs=0.03)
    assert errors["labels"]["wrong_share"] == pytest.approx(0.163, abs=0.04)  # three or more of five err
    one = labels()[0]
    assert (one.annotator, one.probability) == (None, None)
    assert one.origin == {"verdicts": {"annotators": dict.fromkeys("abcde", 1)}}


@pytest.mark.parametrize("aggregation", ["majority", "dawid_skene"])
def test_soft_labels_say_how_often_they_are_right(project: Project, aggregation: str) -> None:
    make_world(project, {**MANY, "aggregation": aggregation, "soft": True}, *ANSWERS[:3])
    run()
    prompts = {prompt.id: prompt for prompt in read_rows(DATA / "prompts.jsonl", Prompt)}
    claimed = {row.probability or 0 for row in labels()}
    assert len(claimed) >= 3
    unanimous = [row for row in labels() if row.probability == max(claimed)]
    right = [
        gold_score(prompts[row.prompt_id], row.chosen, True) > gold_score(prompts[row.prompt_id], row.rejected, True)
        for row in unanimous
    ]
    assert sum(right) / len(right) > 0.95
    smoothing = read_json(LABEL / "report.json")["label_smoothing"]
    assert smoothing == pytest.approx(0.163, abs=0.04)


def test_more_verdicts_than_annotators_are_refused(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    make_world(project, {"verdicts_per_pair": 4}, *ANSWERS)
    assert "verdicts_per_pair (4) must not exceed the number of annotators (3)" in fails(capsys)


def made_by_people(project: Project, **label: object) -> None:
    own_data(project, {"source": "human", **label}, [{"prompt": f"q {n}"} for n in range(6)])


def test_peoples_verdicts_become_labels_with_their_origin(project: Project) -> None:
    made_by_people(project)
    here = {"batch": "b1", "item": 3}
    given = [
        said(0, "first", origin={**here, "seconds": 2.5}, strength=3),
        said(1, "first", turned=True),
        said(1, "second", annotator="ben"),
        said(2, "tie"),
        said(3, "both_bad"),
        said(4, "skip"),
        said(5, "first", origin={**here, "seconds": 1}),
        said(5, "second", annotator="ben", origin={**here, "seconds": 9}),
        said(5, "second", turned=True, annotator="cleo", origin={**here, "seconds": 8}),
    ]
    labelled(given, {"id": "b1", "source": {"run": "r"}})
    run()
    assert [(row.chosen, row.rejected, row.annotator, row.origin) for row in labels()] == [
        ("yes", "no", "ann", {**here, "seconds": 2.5}),
        ("no", "yes", None, {"verdicts": {"annotators": {"ann": 1, "ben": 1}}}),
        ("yes", "no", None, {**here, "verdicts": {"annotators": {"ann": 1, "ben": 1, "cleo": 1}}}),
    ]
    assert read_rows(LABEL / "verdicts.jsonl", Verdict) == given
    report = read_json(LABEL / "report.json")
    assert report["batch"] == {"id": "b1", "source": {"run": "r"}}
    assert {name: sum(splits.values()) for name, splits in report["outcomes"].items()} == {
        "compared": 3, "tie": 2, "skipped": 1
    }  # fmt: skip
    assert report["choices"] == {"both_bad": 1, "first": 3, "second": 3, "skip": 1, "tie": 1}
    assert report["labellers"]["ann"]["against_others"] == {"first": {"first": 1}, "tie": {"first": 1}}
    assert report["labellers"]["ben"]["against_others"] == {"first": {"second": 1}, "second": {"second": 1}}


def test_evenly_split_verdicts_give_no_label(project: Project) -> None:
    made_by_people(project)
    labelled([said(0, "first"), said(0, "second", annotator="ben"), said(1, "first")])
    run()
    assert len(labels()) == 1
    assert sum(read_json(LABEL / "report.json")["outcomes"]["undecided"].values()) == 1


def test_a_stale_batch_is_refused(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    made_by_people(project)
    other = said(1, "first").model_copy(update={"second": "maybe"})
    labelled([said(0, "first"), other, said(0, "first", prompt="gone")])
    assert (
        f"the batch in inputs/labels is stale: 2 of 3 verdicts are not on answers of artifacts/sample; the first is on "
        f"prompt '{prompt_ids()[1]}', whose answers here do not include 'maybe'."
    ) in fails(capsys)


def test_without_verdicts_there_is_nothing_to_take(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    made_by_people(project)
    assert "inputs/labels/verdicts.jsonl holds no verdicts: label a batch first" in fails(capsys)


def test_ai_verdicts_in_both_orders_make_soft_labels(project: Project) -> None:
    own_data(project, {"source": "ai", "soft": True}, [{"prompt": f"q {n}"} for n in range(3)])
    here = {"weights": "sha"}
    judged([
        said(0, "first", judge="j", probability=0.9, origin=here),
        said(0, "second", turned=True, judge="j", probability=0.3, origin=here),
        said(1, "first", judge="j", probability=0.8, origin=here),
        said(1, "first", turned=True, judge="j", probability=0.8, origin=here),
    ])  # fmt: skip
    run()
    (row,) = labels()
    assert (row.chosen, row.judge, row.annotator, row.weight) == ("yes", "j", None, 1)
    assert row.probability == pytest.approx((0.9 + 0.7) / 2)
    assert row.origin == {**here, "verdicts": {"judges": {"j": 2}}}
    report = read_json(LABEL / "report.json")
    assert report["labellers"]["j (judge)"]["shown_first"]["estimate"] == 0.75


def test_people_and_judges_together(project: Project) -> None:
    own_data(project, {"source": "mixed", "ai_weight": 0.25, "soft": True}, [{"prompt": f"q {n}"} for n in range(4)])
    labelled([said(0, "first"), said(1, "first")])
    judged([said(1, "second", judge="j", probability=0.0), said(2, "second", judge="j", probability=0.2)])
    run()
    rows = [(row.chosen, row.annotator, row.judge, row.probability, row.weight) for row in labels()]
    assert rows == [("yes", "ann", None, 1.0, 1.0), ("yes", "ann", "j", 0.8, 1.0), ("no", None, "j", 0.8, 0.25)]
    assert labels()[1].origin == {"verdicts": {"annotators": {"ann": 1}, "judges": {"j": 1}}}
    assert read_json(LABEL / "report.json")["kappa"][0]["labellers"] == ["ann", "j (judge)"]


def test_ai_labels_need_a_judge(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    own_data(project, {"source": "ai"}, [{"prompt": f"q {n}"} for n in range(3)])
    assert "artifacts/ai_label/verdicts.jsonl holds no verdicts: name a judge in ai_label.judges" in fails(capsys)


def test_verdicts_that_decide_nothing_stop_the_run(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    made_by_people(project)
    labelled([said(0, "tie"), said(1, "skip")])
    assert "none of 2 judged pairs gives a comparison" in fails(capsys)


def test_labels_take_from_the_sample_which_answer_was_cut(project: Project) -> None:
    """The verdicts do not say so, as those of a batch of before, and of another tool's file, do not."""
    made_by_people(project)
    rows = read_rows(SAMPLE / "responses.jsonl", Response)
    write_rows(SAMPLE / "responses.jsonl", [row.model_copy(update={"finished": row.text != "yes"}) for row in rows])
    write_manifest(SAMPLE, "sample", {"data": DATA})
    judged([])
    labelled([said(0, "first"), said(1, "first", turned=True)])
    run()
    ends = [(row.chosen, row.chosen_finished, row.rejected, row.rejected_finished) for row in labels()]
    assert ends == [("yes", False, "no", True), ("no", True, "yes", False)]
    verdicts = read_rows(LABEL / "verdicts.jsonl", Verdict)
    assert [(row.first_finished, row.second_finished) for row in verdicts] == [(False, True), (True, False)]
