"""The demo's runs, in another clone from the remotes alone: the commands of the docs and of `make demo`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from stemma.config import merged, read_yaml, write_yaml
from stemma.lineage.runs import list_runs
from tests.project import Project

ROOT = Path(__file__).resolve().parents[2]
INSTALL = "make install && source .venv/bin/activate\n"
LENIENT = {
    "least_win_rate": 0.0, "accuracy_tolerance": 1.0, "hallucination_tolerance": 1.0, "refusal_tolerance": 1.0,
    "most_kl": 1000.0, "most_length_growth": 1000.0, "beat_length": False,
}  # fmt: skip
"""Gates that any policy passes: the models of this test learn next to nothing."""


def blocks() -> list[str]:
    section = (ROOT / "docs" / "how-it-works.md").read_text().split("## Share runs with another clone")[1]
    return re.findall(r"```sh\n(.*?)```", section.split("\n## ")[0], re.DOTALL)


def recipe() -> str:
    """What `make demo` runs, less its echoes."""
    lines = (ROOT / "Makefile").read_text().split("\ndemo:")[1].split("\n\n")[0].splitlines()[1:]
    return "\n".join(line.strip() for line in lines if not line.strip().startswith("@echo"))


def with_programs(project: Project, folder: Path) -> Project:
    """The project with `stemma` and `dvc` on its path, each of the clone that it is called in."""
    folder.mkdir()
    for name in ("stemma", "dvc"):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {name} "$@"\n')
        (folder / name).chmod(0o755)
    names = {"GIT_AUTHOR_NAME": "t", "GIT_COMMITTER_NAME": "t", "GIT_AUTHOR_EMAIL": "t@l", "GIT_COMMITTER_EMAIL": "t@l"}
    return Project(project.path, {**project.environment, **names, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"})


def test_another_clone_gets_what_the_demo_made(
    new_project: Callable[[str], Project], undisturbed: Project, tmp_path: Path
) -> None:
    project = with_programs(new_project("demo"), tmp_path / "bin")
    # What the demo trains, another test has trained.
    shutil.copytree(undisturbed.path / ".dvc" / "cache", project.path / ".dvc" / "cache")
    write_yaml(project.path / "params.yaml", merged(read_yaml(project.path / "params.yaml"), {"promotion": LENIENT}))
    project.git("commit", "--quiet", "--all", "--message", "gates that let everything through")

    def shell(script: str) -> str:
        done = subprocess.run(
            ["bash", "-eux", "-c", script], cwd=project.path, env=project.environment, stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE, text=True, timeout=500, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    shell(recipe())
    (run,) = (run.name for run in list_runs(project.path) if run.flow == "rlhf")
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(bare)], check=True)

    def filled(block: str) -> str:
        values = {"GIT_URL": bare, "DVC_URL": tmp_path / "store", "RUN": run, "another": tmp_path / "another"}
        return re.sub(rf"\b({'|'.join(values)})\b", lambda found: str(values[found[1]]), block)

    first, second = map(filled, blocks())
    assert INSTALL in second
    assert shell(first).count("seen there") == 2
    told = shell(second.replace(INSTALL, ""))
    assert "Data and pipelines are up to date." in told
    assert told.count("every byte and every record is right") == 2
    assert (tmp_path / "another" / "artifacts" / "sft" / "model.safetensors").is_file()
