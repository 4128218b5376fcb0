"""Bad input: one clear message, exit code 2, nothing half-written."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.project import Project

ALPACA = Path(__file__).resolve().parents[3] / "shared" / "data" / "alpaca-300.json"


@contextmanager
def untouched(project: Project) -> Iterator[None]:
    """Nothing new in the working tree, in Git's refs, and no workspace left."""
    before = (project.git("status", "--short"), project.git("for-each-ref", "refs/exps"))
    yield
    assert (project.git("status", "--short"), project.git("for-each-ref", "refs/exps")) == before
    assert not list((project.path / ".stemma").glob("workspaces/*/"))


@pytest.fixture(scope="module")
def project(new_project: Callable[[str], Project]) -> Project:
    return new_project("faults")


def test_all_setting_faults_are_told_at_once(project: Project) -> None:
    with untouched(project):
        printed = project.run(
            "dpo", "x", "--set", "dpo.learing_rate=1e-4", "--set", "dpo.beta=-0.1", "--set", "sft.tuning=half", status=2
        )
    assert "has 3 faults" in printed
    assert "dpo.learing_rate: unknown key; did you mean learning_rate?" in printed
    assert "dpo.beta: should be greater than 0" in printed
    assert "sft.tuning" in printed
    assert "Traceback" not in printed


def test_an_unknown_profile_lists_the_known(project: Project) -> None:
    printed = project.output(sys.executable, "-m", "stemma", "run", "dpo", "--profile", "own", status=2)
    assert "there is no profile 'own'" in printed
    assert "hub-lora, own-data, world" in printed


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.jsonl", None, "no such file"),
        (".", None, "it is a folder; name each file in it"),
        ("empty.jsonl", b"", "empty"),
        ("torn.jsonl", b'{"prompt": "a", "comp', "JSON"),
        ("latin.jsonl", b'{"prompt": "caf\xe9"}\n', "UTF-8"),
        ("pointer.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "LFS"),
    ],
)
def test_unreadable_data_is_named(
    project: Project, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with untouched(project):
        printed = project.run("dpo", "bad-data", "--set", f"data.files=[{file}]", status=2)
    assert name in printed
    assert message in printed
    assert "Traceback" not in printed


def test_answers_without_pairs_are_refused_after_the_data_stage_and_before_anything_trains(project: Project) -> None:
    with untouched(project):
        printed = project.run("dpo", "no-pairs", "--profile", "own-data", "--set", f"data.files=[{ALPACA}]", status=2)
    assert "data done in" in printed
    assert "base runs: " not in printed
    assert "no pair of a chosen and a rejected answer in the train split" in printed
    assert "set label.source to human or ai" in printed


def test_no_commit_yet(project: Project, tmp_path: Path) -> None:
    fresh = Project(tmp_path / "fresh", project.environment)
    fresh.path.mkdir()
    parts = ("stemma", "flows", "tasks", "profiles", "dvc.yaml", "params.yaml", ".dvc")
    project.output("cp", "-r", *parts, str(fresh.path))
    fresh.git("init", "--quiet")
    printed = fresh.run("dpo", "x", status=2)
    assert "has no commit yet" in printed


def test_outside_of_a_project(project: Project, tmp_path: Path) -> None:
    (tmp_path / "nowhere").mkdir()
    nowhere = Project(tmp_path / "nowhere", {**project.environment, "PYTHONPATH": str(project.path)})
    assert "is not inside a Git repository" in nowhere.output(sys.executable, "-m", "stemma", "runs", status=2)


def test_an_unfit_name(project: Project) -> None:
    with untouched(project):
        assert "cannot name a run" in project.run("dpo", "a/b", status=2)


def test_an_unknown_run_lists_the_newest(project: Project) -> None:
    printed = project.output(sys.executable, "-m", "stemma", "show", "nobody", status=2)
    assert "no run is named 'nobody'" in printed


def test_a_port_in_use(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        here = project.with_servers_of_its_own()
        printed = here.output(sys.executable, "-m", "stemma", "up", "--prefect-port", port, status=2)
    told = f"port {port} on 127.0.0.1 is in use by process {os.getpid()} of {Path.cwd()}; choose another with"
    assert f"{told} --prefect-port PORT" in printed


def test_a_prompt_longer_than_the_context(project: Project) -> None:
    with untouched(project):
        printed = project.run("dpo", "long", "--set", "base.context=16", status=2)
    assert "context" in printed
    assert "Traceback" not in printed


def test_a_diverging_loss_stops_the_flow_with_the_numbers(project: Project) -> None:
    with untouched(project):
        printed = project.run("dpo", "nan", "--set", "base.learning_rate=1e30", status=2)
    assert "diverged" in printed or "never" in printed
    assert "Traceback" not in printed


def test_a_full_disk_is_told_before_anything_begins(project: Project, tmp_path: Path) -> None:
    """On a real file system of 64 MiB, where this machine lets one be mounted."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        project.git("clone", "--quiet", ".", str(small / "clone"))
        printed = Project(small / "clone", project.environment).run("dpo", "x", status=2)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert "MiB free, and a run needs 1024 MiB to begin" in printed
