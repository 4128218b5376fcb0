"""A run's record as its commit holds it: message, dvc.lock, params.yaml and dvc.yaml."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stemma.config import Values
from stemma.lineage.dvc import LockEntry, read_lock
from stemma.lineage.git_objects import read_objects
from stemma.lineage.runs import Run, read_trailers
from stemma.stage.definition import with_settings

LOCK_FILE = "dvc.lock"
PARAMS_FILE = "params.yaml"
PIPELINE_FILE = "dvc.yaml"


@dataclass(frozen=True)
class Described:
    """A stage as dvc.yaml describes it."""

    address: str
    """What DVC calls it: `ppo@rlhf` for a stage that one flow has."""
    cmd: str
    deps: frozenset[str]
    params: frozenset[str]
    """The sections of params.yaml, or keys in them."""
    outs: frozenset[str]


@dataclass(frozen=True)
class Record:
    """What the commit of a run holds."""

    run: Run
    there: bool
    """Whether Git has the commit at all."""
    trailers: Mapping[str, str] = field(default_factory=dict)
    lock_text: bytes = b""
    lock: Mapping[str, LockEntry] | None = None
    """None where there is no readable dvc.lock."""
    params: Values = field(default_factory=dict)
    described: Mapping[str, Described] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where a person looks: the experiment and its commit."""
        return f"experiment {self.run.name}, commit {self.run.commit[:10]}"

    def address(self, stage: str) -> str:
        """What DVC calls a stage."""
        return self.described[stage].address if stage in self.described else stage


def read_records(root: Path, runs: Iterable[Run]) -> dict[str, Record]:
    """The records of runs, by commit."""
    by_commit = {run.commit: run for run in runs}
    files = (LOCK_FILE, PARAMS_FILE, PIPELINE_FILE)
    found = read_objects(root, [name for commit in by_commit for name in (commit, *(f"{commit}:{f}" for f in files))])
    return {commit: _record(run, found) for commit, run in by_commit.items()}


def _record(run: Run, found: Mapping[str, bytes | None]) -> Record:
    commit = found[run.commit]
    if commit is None:
        return Record(run, there=False)
    lock, params, pipeline = (found[f"{run.commit}:{file}"] for file in (LOCK_FILE, PARAMS_FILE, PIPELINE_FILE))
    return Record(
        run,
        there=True,
        trailers=read_trailers(commit.decode("utf-8", "replace").partition("\n\n")[2]),
        lock_text=lock or b"",
        lock=_lock(lock),
        params=_sections(params),
        described=_described(_sections(pipeline), _sections(params)),
    )


def _lock(content: bytes | None) -> dict[str, LockEntry] | None:
    from ruamel.yaml.error import YAMLError

    try:
        return read_lock(content.decode()) if content is not None else None
    except (YAMLError, UnicodeDecodeError, AttributeError):
        return None


def _sections(content: bytes | None) -> Values:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        loaded = YAML(typ="safe").load((content or b"").decode())
    except (YAMLError, UnicodeDecodeError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _described(pipeline: Values, params: Values) -> dict[str, Described]:
    stages: Mapping[str, Any] = pipeline.get("stages") or {}
    return {name: _stage(name, stage, params) for name, stage in stages.items()}


def _stage(name: str, described: Mapping[str, Any], params: Values) -> Described:
    stage = described.get("do", described)
    flow = str(described.get("foreach", "")).removeprefix("${flows.").removesuffix("}")
    outs = [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
    return Described(
        address=f"{name}@{flow}" if flow else name,
        cmd=stage.get("cmd", ""),
        deps=frozenset(with_settings(dep, params) for dep in stage.get("deps", [])),
        params=frozenset(stage.get("params", [])),
        outs=frozenset(out if isinstance(out, str) else next(iter(out)) for out in outs),
    )
