"""Rounds of retraining: what each starts from, the labels it merges, and what becomes of it."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stemma.config import write_yaml
from stemma.labelling.earlier import count_rounds
from stemma.lineage.registry import Registry
from stemma.lineage.runs import artifact_id
from stemma.records.jsonl import read_rows
from stemma.records.types import Comparison
from stemma.stage.manifest import read_manifest
from tests.project import Project

STEMMA = (sys.executable, "-m", "stemma")
QUICK = ("--set", "ppo.updates=2", "--set", "reward.epochs=1", "--set", "eval.prompts=20")


@pytest.fixture(scope="module")
def project(new_project: Callable[[str], Project]) -> Project:
    """A project whose champion is `first`, with two rounds after it: `one` refused, `two` by DPO and let through."""
    project = new_project("rounds")
    project.run("rlhf", "first", *QUICK)
    project.output(*STEMMA, "promote", "first", "--force", "--reason", "the first")
    set_gate(project, 0.99)
    project.run("retrain", "one", *QUICK)
    set_gate(project, 0.0)
    project.run("retrain", "two", *QUICK, "--set", "round.method=dpo", "--set", "label.earlier_decay=0.25")
    return project


def set_gate(project: Project, least_win_rate: float) -> None:
    """Let everything pass but the win rate, which must be above this."""
    path = project.path / "params.yaml"
    gates = {"accuracy_tolerance": 1, "hallucination_tolerance": 1, "refusal_tolerance": 1, "beat_length": False}
    write_yaml(path, {"promotion": {**gates, "least_win_rate": least_win_rate}})


@contextmanager
def files_of(project: Project, run: str) -> Iterator[Path]:
    project.git("stash", "--quiet")
    project.dvc("exp", "apply", run)
    try:
        yield project.path / "artifacts"
    finally:
        project.git("checkout", "--quiet", ".")
        project.git("clean", "--quiet", "--force", "-d", "-x", "artifacts", "metrics", "dvc.lock", "inputs")
        project.git("stash", "pop", "--quiet")


def made(project: Project, run: str, stage: str) -> str:
    return artifact_id(project.found(run).lock[stage])


def taken(project: Project, run: str) -> dict[str, str]:
    """What a round took in: DVC id by place, as dvc.lock has it."""
    deps = [dep for entry in project.found(run).lock.values() for dep in entry["deps"]]
    return {dep["path"]: dep["md5"] for dep in deps if dep["path"].startswith("inputs/round/")}


def rounds(project: Project) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(project.output(*STEMMA, "rounds", "--json"))
    return told


def test_without_a_champion_there_is_no_round(undisturbed: Project) -> None:
    printed = undisturbed.run("retrain", "early", status=2)
    assert "policy has no champion to start a round from. Make a policy with `stemma run rlhf`" in printed
    assert "no rounds yet; `stemma run retrain` starts one" in undisturbed.output(*STEMMA, "rounds")


def test_a_round_takes_earlier_artifacts_in_under_their_own_ids(project: Project) -> None:
    assert taken(project, "one") == {
        "inputs/round/policy/from-champion": made(project, "first", "ppo"),
        "inputs/round/labels/from-round": made(project, "first", "label"),
        "inputs/round/reward/from-earlier": made(project, "first", "reward"),
    }
    # The champion is still the first policy; the labels are those of the newest round.
    assert taken(project, "two") == {
        "inputs/round/policy/from-champion": made(project, "first", "ppo"),
        "inputs/round/labels/from-round": made(project, "one", "label"),
    }


def test_the_champion_is_passed_through_and_answers_anew(project: Project) -> None:
    with files_of(project, "two") as artifacts:
        passed = read_manifest(artifacts / "sft")["files"]
        champion = read_manifest(project.path / "inputs" / "round" / "policy" / "from-champion")["files"]
        assert passed.items() <= champion.items()
        assert champion.keys() - passed.keys() == {"history.csv"}
        assert "up to date" in project.dvc("status")
    assert len({made(project, run, "sample") for run in ("first", "one", "two")}) == 3
    assert made(project, "one", "sft") == made(project, "two", "sft")


def test_earlier_labels_are_merged_with_a_decay(project: Project) -> None:
    fresh = {}
    for run in ("first", "one", "two"):
        with files_of(project, run) as artifacts:
            rows = read_rows(artifacts / "label" / "comparisons.jsonl", Comparison)
            report = json.loads((artifacts / "label" / "report.json").read_text())
        assert report["rounds"] == count_rounds(rows)
        fresh[run] = [row for row in rows if row.age is None]
    by_age = {age: [row for row in rows if row.age == age] for age in (1, 2)}
    assert all(row.split == "train" for row in (*by_age[1], *by_age[2]))
    assert {row.weight for row in by_age[1]} == {0.25}  # one round ago, at this round's decay
    assert {row.weight for row in by_age[2]} == {0.125}  # 0.5 in the round before
    texts = [{(row.prompt, row.chosen, row.rejected) for row in fresh[run]} for run in ("one", "first")]
    assert {(row.prompt, row.chosen, row.rejected) for row in by_age[1]} <= texts[0]
    assert {(row.prompt, row.chosen, row.rejected) for row in by_age[2]} <= texts[1]
    assert len(by_age[1]) > 50


def test_a_refused_round_keeps_the_champion_and_says_why(project: Project) -> None:
    one, two = rounds(project)
    assert (one["number"], one["run"], one["parent"], one["version"]) == (1, "one", "policy/1", "policy/2")
    assert one["verdict"] == "refused"
    assert "against the champion, asked: all above 0.99" in one["why"][0]
    assert (two["number"], two["parent"], two["version"], two["method"]) == (2, "policy/1", "policy/3", "dpo")
    assert (two["verdict"], two["why"]) == ("promoted", ["round 2: policy/3 beats policy/1"])
    assert Registry(project.path, "policy").read().aliases["champion"] == 3
    assert [labels["age"] for labels in two["labels"]] == [0, 1, 2]
    assert all(labels["weight"] == labels["pairs"] * 0.25 for labels in two["labels"][1:2])
    page = project.output(*STEMMA, "rounds")
    assert "refused" in page
    assert "win rate: " in page


def test_a_rounds_family_goes_on_into_the_champions(project: Project) -> None:
    tree = json.loads(project.output(*STEMMA, "trace", "two", "--json"))
    found = json.dumps(tree)
    for artifact in (made(project, "first", "ppo"), made(project, "first", "reward"), made(project, "one", "label")):
        assert artifact in found
    reached = json.loads(project.output(*STEMMA, "impact", made(project, "first", "sft"), "--json"))
    assert {version["name"] for version in reached["versions"]} == {"policy/1", "policy/2", "policy/3"}
    assert "every byte and every record is right" in project.output(*STEMMA, "verify", "two")
