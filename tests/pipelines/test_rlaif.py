"""A run whose labels come from an AI judge."""

import json
import sys
import time
from pathlib import Path

from stemma.judging.weights import weights_sha256
from stemma.records.types import Verdict
from tests.project import Project
from tests.tiny import tiny_artifact

CONSTITUTION = """
name: tiny
version: 1
principles: [be right]
compare:
  user: "{conversation} 1 {first} 2 {second}"
"""

SHORT = ("reward.epochs=1", "ppo.updates=1", "eval.prompts=10")


def test_rlaif_trains_on_a_judges_labels_and_keeps_their_origin(undisturbed: Project, tmp_path: Path) -> None:
    folder = tiny_artifact(tmp_path / "judge", context=256)
    constitution = undisturbed.path / "inputs" / "constitutions" / "tiny.yaml"
    constitution.write_text(CONSTITUTION)
    judge = f"{{kind: local, name: toy, model: {folder}}}"
    settings = [f"ai_label.judges=[{judge}]", "ai_label.constitution=tiny", "ai_label.least_agreement=0", *SHORT]
    undisturbed.run("rlaif", "by-ai", *(word for setting in settings for word in ("--set", setting)))
    constitution.unlink()  # the run has it; what other tests run on this project must not
    run = undisturbed.found("by-ai")
    assert list(run.made)[:2] == ["ai_label", "label"]
    recorded = json.loads(json.dumps(run.lock["ai_label"]["params"]["params.yaml"]["ai_label"]))["judges"][0]
    assert recorded["weights_sha256"] == weights_sha256(folder)
    undisturbed.dvc("exp", "apply", "by-ai")
    try:
        rows = (undisturbed.path / "artifacts" / "label" / "verdicts.jsonl").read_text().splitlines()
        verdicts = [Verdict.model_validate_json(row) for row in rows]
        assert {verdict.judge for verdict in verdicts} == {"toy"}
        assert all(str(tmp_path) not in row for row in rows)
        assert "up to date" in undisturbed.dvc("status")
    finally:
        undisturbed.git("checkout", "--quiet", ".")
        undisturbed.git("clean", "--quiet", "--force", "-d", "metrics", "dvc.lock", "inputs")


def test_a_judge_is_checked_against_the_people_of_another_run(undisturbed: Project, tmp_path: Path) -> None:
    words = (sys.executable, "-m", "stemma", "judge", "check", "by-ai", "--people", "calm")
    told = json.loads(undisturbed.output(*words, "--json", "--set", "ai_label.least_agreement=0"))
    (judge,) = told["judges"]
    assert judge["judge"] == "toy"
    assert judge["pairs"] > 50
    assert 0 <= judge["agreement"]["low"] <= judge["agreement"]["estimate"] <= 1
    page, plot = tmp_path / "page.html", tmp_path / "plot.png"
    files = ("--html", str(page), "--plot", str(plot), "--set", "ai_label.least_agreement=0.99")
    assert "UNDER THE BAR of 0.99" in undisturbed.output(*words, *files, status=1)
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "data:image/png" in page.read_text()
    assert "labelled by judge toy (" in undisturbed.output(sys.executable, "-m", "stemma", "trace", "by-ai")


def test_rlaif_without_a_judge_ends_at_once(undisturbed: Project) -> None:
    began = time.monotonic()
    printed = undisturbed.run("rlaif", "nobody", status=2)
    assert "ai_label.judges names no judge; name one" in printed
    assert time.monotonic() - began < 5
