"""The runs on record: DVC experiments read straight from Git, so that thousands of them list in a moment."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from stemma.config import Values
from stemma.errors import WorkspaceError
from stemma.lineage.dvc import LockEntry, read_lock
from stemma.lineage.git import Git

MODEL_STAGES = ("base", "sft", "judge", "reward", "ppo", "dpo")
"""Stages whose artifact is a model; the others make datasets."""
EVALUATION = "eval_"
"""What the names of the evaluation stages begin with; the rest is the stage of the policy."""

EXPERIMENTS = "refs/exps/*/*/*"
TRAILER = "Stemma-"
FLOW = f"{TRAILER}Flow: "
"""The trailer that tells a run of ours from other DVC experiments."""
FLOW_RUN = "Prefect-Flow-Run"
"""The trailer with the id of the Prefect flow run that made it."""


@dataclass(frozen=True)
class Run:
    """One finished flow run: an immutable Git commit under refs/exps."""

    name: str
    commit: str
    baseline: str
    created: datetime
    trailers: Mapping[str, str]
    git: Git = field(repr=False, compare=False)

    @property
    def flow(self) -> str:
        """The flow that made it."""
        return self.trailers.get("Flow", "")

    @property
    def dirty(self) -> bool:
        """Whether it ran code that was not committed."""
        return self.trailers.get("Dirty") == "true"

    @property
    def stages(self) -> list[str]:
        """Its stages in order."""
        return self.trailers.get("Stages", "").split()

    @property
    def made(self) -> dict[str, str]:
        """DVC id of the artifact of each stage that it ran itself; the other stages were restored."""
        return dict(pair.split("=", 1) for pair in self.trailers.get("Made", "").split())

    @property
    def machine(self) -> str:
        """The kind of machine it ran on; empty where nobody wrote it down."""
        return self.trailers.get("Machine", "")

    @property
    def seconds(self) -> dict[str, float]:
        """What each stage that it ran itself took, over all its attempts, where that was measured in whole."""
        pairs = (pair.split("=", 1) for pair in self.trailers.get("Seconds", "").split())
        return {stage: float(seconds) for stage, seconds in pairs}

    @cached_property
    def lock(self) -> dict[str, LockEntry]:
        """Its dvc.lock."""
        return read_lock(self._read("dvc.lock"))

    @cached_property
    def params(self) -> Values:
        """Its params.yaml."""
        from ruamel.yaml import YAML

        values: Values = YAML(typ="safe").load(self.params_text) or {}
        return values

    @property
    def params_text(self) -> str:
        """Its params.yaml as it stands there."""
        return self._read("params.yaml") or ""

    @cached_property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Its metrics files, by stage."""
        found = {stage: self._read(f"metrics/{stage}.json") for stage in self.stages}
        return {stage: json.loads(text) for stage, text in found.items() if text}

    def _read(self, path: str) -> str | None:
        name = f"{self.commit}:{path}"
        return self.git.contents([name])[name]


def list_runs(root: Path) -> list[Run]:
    """All runs on record in a project, newest first; experiments that Stemma did not make are left out."""
    git = Git(root)
    fields = ["refname", "objectname", "creatordate:unix", "contents:body"]
    runs = []
    for refname, commit, created, body in git.refs(EXPERIMENTS, fields):
        trailers = read_trailers(body)
        if "Flow" in trailers:
            _, _, first, rest, name = refname.split("/", 4)
            when = datetime.fromtimestamp(int(created), tz=UTC)
            runs.append(Run(name, commit, first + rest, when, trailers, git))
    return runs


def find_run(root: Path, name: str) -> Run:
    """The run of that name.

    Raises WorkspaceError where there is none; it lists the newest.
    """
    runs = list_runs(root)
    for run in runs:
        if run.name == name:
            return run
    known = ", ".join(run.name for run in runs[:5]) or "none yet; make one with `stemma run rlhf`"
    near = get_close_matches(name, [run.name for run in runs], n=1)
    meant = f"did you mean {near[0]}? The newest are" if near else "the newest are"
    raise WorkspaceError(f"no run is named {name!r}; {meant}: {known}")


def run_message(name: str, facts: Mapping[str, str]) -> str:
    """The commit message of a run: a title and the facts as Git trailers."""
    return "\n".join([f"Run {name}", "", *(f"{TRAILER}{key}: {value}" for key, value in facts.items())])


def read_trailers(body: str) -> dict[str, str]:
    """The facts in a run's commit message."""
    lines = (line.partition(": ") for line in body.splitlines() if line.startswith(TRAILER))
    return {key.removeprefix(TRAILER): value.strip() for key, _, value in lines}


def newest_with(runs: Iterable[Run], stage: str) -> Run | None:
    """The first of these runs that has a stage: the newest, where the newest is the first."""
    return next((run for run in runs if stage in run.stages), None)


def maker_of(runs: list[Run], stage: str, output: str) -> Run | None:
    """The run that made an artifact's bytes: the oldest that ran the stage and got this DVC id."""
    return next((run for run in reversed(runs) if run.made.get(stage) == output), None)


def artifact_id(entry: Mapping[str, Any]) -> str:
    """The DVC id of the artifact that a stage made: the md5 of its first output under artifacts/."""
    ids = [out["md5"] for out in entry["outs"] if out["path"].startswith("artifacts/")]
    return str(ids[0])
