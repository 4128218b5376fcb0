"""The page of a finished run: what was changed, how it does beside the champion, its answers and its picture."""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from flows.result_page import FlowReport, result_page
from stemma.evaluation.intervals import Interval
from stemma.evaluation.report import Report, rows_of
from stemma.lineage.registry import Registry
from tests.answers import ANSWERS
from tests.family import FamilyProject, Made

PARAMS = {
    "seed": 0,
    "flows": {"rlhf": ["rlhf"]},
    "machine": {"device": "cpu", "threads": 1},
    "label": {"source": "simulated", "overlap_share": 0.1},
    "ppo": {"kl_coef": 0.3, "updates": 12},
}
"""The project's own params.yaml: another kl_coef than the code's default, 0.1."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FamilyProject:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example:5000")
    project = FamilyProject(tmp_path / "project")
    commit_params(project, PARAMS)
    return project


def commit_params(project: FamilyProject, values: dict[str, object]) -> None:
    (project.path / "params.yaml").write_text(json.dumps(values))
    project.git.run("commit", "--quiet", "--all", "--message", "settings")


def add_run(
    project: FamilyProject, name: str, win_rate: float, changed: Mapping[str, object], answers: bool = True
) -> FlowReport:
    """Register a run whose settings are those of `PARAMS` with changes."""
    rows = {"gold/win_rate": Interval(win_rate, win_rate - 0.1, win_rate + 0.1, 8)}
    report = Report(
        tuned="ppo", judge="gold", split="test", prompts=8, samples=1, rows=tuple(rows_of("sampled", "tuned", rows))
    )
    evaluation = {"report.json": report.model_dump_json().encode(), "answers.json": ANSWERS.model_dump_json().encode()}
    data = project.artifact("data", {"rows.jsonl": b"{}\n"})
    ppo = project.artifact("ppo", {"model.safetensors": name.encode()})
    evaluated = project.artifact("eval_ppo", evaluation if answers else {})
    stages = [
        Made("data", data, 3, {"inputs": project.put(b"[]", ".dir")}),
        Made("ppo", ppo, 5, {"artifacts/data": data}),
        Made("eval_ppo", evaluated, 6, {"artifacts/ppo": ppo, "artifacts/data": data}),
    ]
    metrics = {
        "gold/win_rate": win_rate, "gold/win_rate_low": win_rate - 0.1, "gold/win_rate_high": win_rate + 0.1,
    }  # fmt: skip
    params = {**{key: value for key, value in PARAMS.items() if key != "flows"}, **changed}
    commit = project.run(name, stages, policy="ppo", metrics={"eval_ppo": metrics}, params=params)
    version = Registry(project.path, "policy").register(name, commit, "ppo", ppo)
    return FlowReport(
        run=name, flow="rlhf", policy=ppo, model="policy", version=str(version.number), ran=["ppo", "eval_ppo"],
        metrics=metrics, place="/experiments/1/runs/abc",
    )  # fmt: skip


def page_of(project: FamilyProject, report: FlowReport) -> str:
    return result_page(project.path, report, f"{report.run} made policy/{report.version}", "")


def page_of_new_run(
    project: FamilyProject, name: str, win_rate: float, changed: Mapping[str, object], answers: bool = True
) -> str:
    return page_of(project, add_run(project, name, win_rate, changed, answers))


def promote(project: FamilyProject, version: int) -> None:
    registry = Registry(project.path, "policy")
    registry.move(registry.head(), "promote", {"act": "promote", "moves": {"champion": version}, "reason": "better"})


def line(page: str, beginning: str) -> str:
    (matching,) = [line for line in page.splitlines() if line.startswith(beginning)]
    return matching


def test_changed_settings_are_those_that_differ_from_params_yaml_at_the_runs_code(project: FamilyProject) -> None:
    """Neither what params.yaml itself sets off the code's default, nor what the machine decides, was changed."""
    machine = {"device": "cuda", "threads": 1}
    assert line(page_of_new_run(project, "plain", 0.6, {"machine": machine}), "Changed settings") == (
        "Changed settings: none; all are as in params.yaml"
    )
    commit_params(project, {**PARAMS, "ppo": {"kl_coef": 0.3, "updates": 20}})
    changed = {"seed": 7, "ppo": {"kl_coef": 0.2, "updates": 12}, "data": {"files": ["a.jsonl", "b.jsonl"]}}
    report = add_run(project, "other", 0.7, changed)
    commit_params(project, PARAMS)
    assert line(page_of(project, report), "Changed settings") == (
        "Changed settings: `seed` 0 → 7, `ppo.kl_coef` 0.3 → 0.2, `ppo.updates` 20 → 12, "
        "`data.files` 0 entries → 2 entries"
    )


def test_settings_of_simulated_annotators_are_not_named_where_people_labelled(project: FamilyProject) -> None:
    people = {"label": {"source": "human", "overlap_share": 0.5, "soft": True}}
    assert line(page_of_new_run(project, "people", 0.6, people), "Changed settings") == (
        "Changed settings: `label.source` simulated → human, `label.soft` False → True"
    )
    simulated = {"label": {"source": "simulated", "overlap_share": 0.5}}
    assert "`label.overlap_share` 0.1 → 0.5" in page_of_new_run(project, "simulated", 0.6, simulated)


def test_the_champion_stands_beside_the_run_unless_it_is_the_run(project: FamilyProject) -> None:
    first = page_of_new_run(project, "first", 0.6, {})
    assert "policy has no other champion." in first
    assert line(first, "| win rate against SFT, gold rule") == "| win rate against SFT, gold rule | 0.6 [0.5, 0.7] |"
    promote(project, 1)
    second = page_of_new_run(project, "second", 0.75, {"seed": 1})
    assert "Beside it the champion, policy/1." in second
    assert "|  | second | first |\n|:---|---:|---:|" in second
    assert line(second, "| win rate against SFT, gold rule").endswith("| 0.75 [0.65, 0.85] | 0.6 [0.5, 0.7] |")
    promote(project, 2)
    third = page_of_new_run(project, "third", 0.7, {})
    assert "Beside it the champion, policy/2." in third


def test_answers_and_a_picture_stand_on_the_page(project: FamilyProject) -> None:
    page = page_of_new_run(project, "calm", 0.6, {})
    assert "## Answers before and after" in page
    row = line(page, "| what is the trade of tusdul ?")
    assert "hunter" in row
    assert "i do not know" in row
    (picture,) = re.findall(r"!\[SFT and the tuned policy\]\(data:image/png;base64,([^)]+)\)", page)
    with Image.open(BytesIO(b64decode(picture))) as image:
        assert image.format == "PNG"
        assert image.width > 200
    assert "[Run in MLflow](http://mlflow.example:5000/#/experiments/1/runs/abc)" in page
    assert "[policy/1](http://mlflow.example:5000/#/models/policy/versions/1)" in page
    assert "2 of 3 stages ran: ppo, eval_ppo." in page


def test_a_run_whose_evaluation_kept_no_answers_has_a_page_without_them(project: FamilyProject) -> None:
    page = page_of_new_run(project, "old", 0.6, {}, answers=False)
    assert "## Answers before and after" not in page
    assert "data:image" not in page
    assert "## Family tree" in page
