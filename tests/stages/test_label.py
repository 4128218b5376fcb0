import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stemma.records.json_file import read_json
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
DATA, SAMPLE, LABEL = (Path("artifacts", name) for name in ("data", "sample", "label"))
EXACT = {"annotators": [{"name": "exact", "noise": 0.0}]}


def sample(*texts: str) -> None:
    """Stand in for the sample stage: the same answers to every prompt."""
    prompts = read_rows(DATA / "prompts.jsonl", Prompt)
    SAMPLE.mkdir()
    rows = [
        Response(prompt_id=prompt.id, index=index, text=text, finished=True)
        for prompt in prompts
        for index, text in enumerate(texts)
    ]
    write_rows(SAMPLE / "responses.jsonl", rows)
    write_manifest(SAMPLE, "sample", {"data": DATA})


def make_world(project: Project, label: dict[str, Any], *texts: str) -> None:
    project(data={"world": WORLD}, label=label)
    run_stage("data", DataConfig, prepare_data)
    sample(*texts)


def own_data(project: Project, label: dict[str, Any], rows: list[dict[str, str]]) -> None:
    folder = project(data={"files": ["inputs/data/rows.jsonl"]}, label=label)
    (folder / "inputs" / "data" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
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
    assert len(ties) == sum(report["ties"].values()) > 0
    assert report["empty"] == 4 * len(prompts)
    assert report["same_text"] == 0


def test_the_default_annotators_err_on_about_one_pair_in_ten(project: Project) -> None:
    make_world(project, {}, *ANSWERS[:3])
    run()
    report = read_json(LABEL / "report.json")
    assert set(report["annotators"]) == {"ada", "ben", "cleo"}
    assert report["all_annotators"]["verdicts"] > 1000
    assert report["all_annotators"]["flip_share"] == pytest.approx(0.1, abs=0.035)
    assert report["agreement"]["pairs"] > 50
    assert report["agreement"]["share"] > 0.6


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
