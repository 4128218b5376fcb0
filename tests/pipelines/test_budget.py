"""A run tells what it will cost; a budget stops it with its work kept, and the same command goes on."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import Project, ids

FEW_SECONDS = 6 / 3600
"""Hours, in which a run comes to its first stage that has steps."""


def traces(project: Project) -> list[str]:
    """What a run would leave: files, refs, worktrees."""
    files = sorted(str(path.relative_to(project.path)) for path in project.path.rglob("*") if ".git" not in path.parts)
    return [*files, project.git("for-each-ref"), project.git("worktree", "list")]


def test_a_dry_run_tells_what_would_run_and_leaves_nothing(undisturbed: Project) -> None:
    change = ("--dry-run", "--set", "ppo.kl_coef=0.3")
    undisturbed.run("rlhf", "thought", *change)
    before = traces(undisturbed)
    printed = undisturbed.run("rlhf", "thought", *change)
    assert traces(undisturbed) == before
    assert "plan of run thought: 2 of 10 stages run" in printed
    assert re.search(r"\n  reward +restored +nothing changed\n", printed)
    assert re.search(r"\n  ppo +runs +\d+ s +0 +\d+ KiB  ppo\.kl_coef 0\.1 → 0\.3 \(against run calm\)\n", printed)
    assert re.search(r"\n  eval_ppo +runs +\d+ s +0 +\d+ KiB  ppo will be new\n", printed)
    assert not (undisturbed.path / ".stemma" / "logs" / "thought").exists()


def test_a_dry_run_hashes_the_users_files_and_does_not_take_them(undisturbed: Project) -> None:
    rows = Path(__file__).parents[1] / "chinese_pairs.jsonl"
    before = traces(undisturbed)
    changes = (f"data.files=[{rows}]", "label.source=recorded", "judge.fewest_pairs=20", "base.context=640")
    printed = undisturbed.run("dpo", "own", "--dry-run", *(word for change in changes for word in ("--set", change)))
    assert traces(undisturbed) == before
    assert re.search(r"\n  data +runs .* inputs/data changed", printed)


def test_what_a_run_took_is_on_record(undisturbed: Project) -> None:
    run = undisturbed.found("calm")
    assert run.machine == "cpu x1"
    assert list(run.seconds) == run.stages
    assert all(seconds > 0 for seconds in run.seconds.values())
    assert list(undisturbed.found("straight").seconds) == ["dpo", "eval_dpo"]


@pytest.mark.parametrize("limit", ["hours=0.00001", "disk_gib=0.00001"])
def test_a_plan_beyond_the_budget_is_not_begun(undisturbed: Project, limit: str) -> None:
    change = ("--set", "dpo.beta=0.9", "--set", f"budget.{limit}")
    printed = undisturbed.run("dpo", "dear", *change, status=2)
    assert re.search(
        r"the plan is beyond the budget, so nothing was begun: budget\.\w+ is 1e-05, and the plan", printed
    )
    assert "dpo runs:" not in printed
    assert "beyond the budget" in undisturbed.run("dpo", "dear", *change, "--dry-run", status=2)


def test_a_spent_budget_stops_a_stage_and_a_larger_one_goes_on(
    new_project: Callable[[str], Project], undisturbed: Project
) -> None:
    project = new_project("thrifty")
    hours, printed = 0.0, "it was not begun"
    while "it was not begun" in printed:  # on a slow machine the data takes all of the budget
        hours += FEW_SECONDS
        printed = project.run("rlhf", "short", "--set", f"budget.hours={hours}", status=2)
    stopped = re.search(
        r"run short stopped in (\w+): the run's budget is spent, and step (\d+) is kept, to go on from\.", printed
    )
    assert stopped, printed
    stage, step = stopped.groups()
    assert "What is finished is kept. To go on, raise the budget" in printed
    assert "Traceback" not in printed
    assert not list((project.path / ".stemma" / "workspaces").glob("*/"))
    again = project.run("rlhf", "short", "--set", "budget.hours=1")
    assert f"{stage}: resumes from step {step}\n" in again
    assert "data runs:" not in again
    assert ids(project.found("short").lock) == ids(undisturbed.found("calm").lock)
    assert list(project.found("short").seconds) == project.found("short").stages
    assert not list((project.path / ".stemma" / "spent").iterdir())
