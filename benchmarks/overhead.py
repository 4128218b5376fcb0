"""What does a flow cost beyond its stages' own work, beside plain `dvc repro` of the same stages?

    python -m benchmarks.overhead [--times 5]

Runs `stemma run rlhf` and `dvc repro` by turns on tiny settings, in a clone of this project in a temporary folder, each
from an empty cache, with a Prefect server up. A shell that DVC starts for every stage writes down when its command
begins and ends, so the same is measured in both ways. What both make is compared.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.unchanged import prefect_server
from stemma.config import merged, read_yaml, write_yaml
from stemma.lineage.dvc import read_lock
from stemma.lineage.runs import artifact_id, find_run

ROOT = Path(__file__).resolve().parents[1]
STAGES = 10
SHELL = """#!/bin/sh
began=$(date +%s.%N)
/bin/sh "$@"
status=$?
echo "$began $(date +%s.%N)" >> "$STAGE_TIMES"
exit $status
"""
LEFT_BY_A_RUN = (".dvc/cache", ".dvc/tmp", ".stemma", "artifacts", "metrics", "dvc.lock")


@dataclass(frozen=True)
class Measured:
    """Seconds of one run."""

    wall: float
    stages: float
    """The stages' own commands."""
    ends: float
    """Before the first of them and after the last."""

    @property
    def between(self) -> float:
        """From a stage's end to the next one's beginning, on average."""
        return (self.wall - self.stages - self.ends) / (STAGES - 1)


def main() -> None:
    """Measure both ways by turns and print a table."""
    parser = argparse.ArgumentParser(description="What does a flow cost beyond its stages' own work?")
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    flows, repros = [], []
    with tempfile.TemporaryDirectory(prefix="stemma-overhead-") as folder, prefect_server() as api:
        project = clone(Path(folder))
        for number in range(times):
            flow, made = by_flow(project, f"run-{number}", api)
            repro, made_again = by_repro(project)
            if made != made_again:
                raise SystemExit(f"the two ways differ: {made} and {made_again}")
            flows.append(flow)
            repros.append(repro)
            print(f"{number + 1} of {times}: flow {flow.wall:.1f} s, dvc repro {repro.wall:.1f} s", flush=True)
    print(table(flows, repros))


def clone(folder: Path) -> Path:
    """A clone of this project as it is committed, with tiny settings."""
    project = folder / "project"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(project)], check=True)
    tiny = read_yaml(ROOT / "tests" / "pipelines" / "tiny.yaml")
    flows = {"flows": {"rlhf": ["rlhf"], "dpo": []}}
    write_yaml(project / "params.yaml", merged(merged(read_yaml(ROOT / "params.yaml"), tiny), flows))
    me = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")
    subprocess.run(["git", *me, "commit", "--quiet", "--all", "--message", "tiny"], cwd=project, check=True)
    shell = folder / "shell"
    shell.write_text(SHELL)
    shell.chmod(0o755)
    return project


def by_flow(project: Path, name: str, api: str) -> tuple[Measured, dict[str, str]]:
    """A run of the flow; what it took and the artifacts that it made, by stage."""
    words = [sys.executable, "-m", "stemma", "run", "rlhf", "--name", name]
    measured = timed(project, words, {"PREFECT_API_URL": api, "PREFECT_HOME": str(project.parent / "prefect")})
    return measured, {stage: artifact_id(entry) for stage, entry in find_run(project, name).lock.items()}


def by_repro(project: Path) -> tuple[Measured, dict[str, str]]:
    """The same by `dvc repro`."""
    measured = timed(project, [sys.executable, "-m", "dvc", "repro", "--quiet"], {})
    lock = read_lock((project / "dvc.lock").read_text(encoding="utf-8"))
    return measured, {stage: artifact_id(entry) for stage, entry in lock.items()}


def timed(project: Path, words: Sequence[str], environment: dict[str, str]) -> Measured:
    """Run a command from an empty cache.

    Raises SystemExit where it fails or does not run every stage.
    """
    for left in LEFT_BY_A_RUN:
        shutil.rmtree(project / left, ignore_errors=True)
        (project / left).unlink(missing_ok=True)
    notes = project.parent / "stage-times"
    notes.unlink(missing_ok=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ours = {"SHELL": str(project.parent / "shell"), "STAGE_TIMES": str(notes), "PATH": path, "PYTHONPATH": ""}
    began = time.time()
    done = subprocess.run(
        words, cwd=project, env={**os.environ, **ours, **environment}, capture_output=True, text=True, check=False
    )
    ended = time.time()
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {done.stdout}{done.stderr}")
    stages = [tuple(map(float, line.split())) for line in notes.read_text().splitlines()]
    if len(stages) != STAGES:
        raise SystemExit(f"{' '.join(words)} ran {len(stages)} stages, not {STAGES}")
    work = sum(end - begin for begin, end in stages)
    return Measured(ended - began, work, stages[0][0] - began + ended - stages[-1][1])


def table(flows: Sequence[Measured], repros: Sequence[Measured]) -> str:
    """Least and median of each figure, in both ways, and how much more the flow takes."""
    figures = {
        "whole run": lambda one: one.wall,
        "the stages' own work": lambda one: one.stages,
        "between two stages": lambda one: one.between,
        "before the first and after the last": lambda one: one.ends,
    }
    lines = ["", "| seconds, least / median | flow | `dvc repro` | more, median |", "|---|---|---|---|"]
    for words, figure in figures.items():
        flow, repro = sorted(map(figure, flows)), sorted(map(figure, repros))
        lines.append(
            f"| {words} | {flow[0]:.2f} / {median(flow):.2f} | {repro[0]:.2f} / {median(repro):.2f} "
            f"| {median(flow) - median(repro):.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
