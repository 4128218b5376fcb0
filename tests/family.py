"""A project with a made-up history: real Git commits and a real DVC cache, without a model in sight.

Runs are written as `dvc exp save` leaves them, so that thousands of families can be made in the time of one training.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

from stemma.lineage.git import Git
from stemma.lineage.runs import run_message

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Tess",
    "GIT_AUTHOR_EMAIL": "tess@localhost",
    "GIT_COMMITTER_NAME": "Tess",
    "GIT_COMMITTER_EMAIL": "tess@localhost",
}


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Made:
    """One stage of a made-up run: its artifact, and what it was made from."""

    stage: str
    artifact: str
    size: int
    inputs: Mapping[str, str]
    """DVC ids by path: artifacts/base, inputs."""
    code: Mapping[str, str] = field(default_factory=dict)
    """md5 by path."""
    params: Mapping[str, object] = field(default_factory=dict)

    def entry(self) -> dict[str, object]:
        deps = {**self.code, **self.inputs}
        return {
            "cmd": f"python -m tasks.{self.stage}",
            "deps": [{"path": path, "hash": "md5", "md5": oid, "size": 1} for path, oid in sorted(deps.items())],
            **({"params": {"params.yaml": dict(self.params)}} if self.params else {}),
            "outs": [{"path": f"artifacts/{self.stage}", "hash": "md5", "md5": self.artifact, "size": self.size}],
        }


class FamilyProject:
    """The project; runs are added by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git = Git(path)
        path.mkdir(parents=True, exist_ok=True)
        self.git.run("init", "--quiet", "--initial-branch=main")
        for key, value in (("user.name", "Tess"), ("user.email", "tess@localhost")):
            self.git.run("config", key, value)
        subprocess.run(["dvc", "init", "--quiet"], cwd=path, check=True)
        (path / "dvc.yaml").write_text("stages: {}\n")
        (path / "params.yaml").write_text("seed: 0\n")
        (path / ".gitignore").write_text("/artifacts/\n/.stemma/\n/serving/\n/mlflow.db*\n/mlartifacts/\n")
        self.git.run("add", "--all")
        self.git.run("commit", "--quiet", "--message", "first")
        self._clock = 1_700_000_000

    @property
    def cache(self) -> Path:
        return self.path / ".dvc" / "cache" / "files" / "md5"

    def place(self, oid: str) -> Path:
        """Where an object lies in the cache."""
        return self.cache / oid[:2] / oid[2:]

    def put(self, content: bytes, suffix: str = "") -> str:
        """Put bytes into the cache, read-only as DVC leaves them; returns their id."""
        oid = md5(content) + suffix
        place = self.place(oid)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.chmod(0o444)
        return oid

    def artifact(self, stage: str, files: Mapping[str, bytes], inputs: Mapping[str, str] | None = None) -> str:
        """Put an artifact into the cache, with its manifest; `inputs` are sha256s of the inputs' manifests by stage."""
        manifest = {
            "stage": stage,
            "files": {
                name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
                for name, content in sorted(files.items())
            },
            "inputs": dict(inputs or {}),
        }
        whole = {**files, "manifest.json": (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode()}
        return self.folder(whole)

    def folder(self, files: Mapping[str, bytes]) -> str:
        """Put a folder into the cache."""
        listed = [{"md5": self.put(content), "relpath": name} for name, content in sorted(files.items())]
        return self.put(json.dumps(listed, sort_keys=True).encode(), ".dir")

    def manifest_sha256(self, artifact: str) -> str:
        """The sha256 of an artifact's manifest."""
        files = {item["relpath"]: item["md5"] for item in json.loads(self.place(artifact).read_bytes())}
        return hashlib.sha256(self.place(files["manifest.json"]).read_bytes()).hexdigest()

    def run(
        self,
        name: str,
        stages: Sequence[Made],
        ran: Sequence[str] | None = None,
        policy: str = "",
        metrics: Mapping[str, Mapping[str, float]] | None = None,
        params: Mapping[str, object] | None = None,
    ) -> str:
        """Record a run as `dvc exp save` would; `ran` are the stages it ran itself, all of them by default."""
        by_stage = {made.stage: made for made in stages}
        policy = policy or stages[-1].stage
        facts = {
            "Flow": "rlhf",
            "Stages": " ".join(by_stage),
            "Made": " ".join(f"{s}={by_stage[s].artifact}" for s in (by_stage if ran is None else ran)),
            "Policy": f"{policy}={by_stage[policy].artifact}",
            "Dirty": "false",
            "Prefect-Flow-Run": "",
        }
        lock = {"schema": "2.0", "stages": {made.stage: made.entry() for made in stages}}
        files = {"dvc.lock": _yaml(lock), "params.yaml": _yaml(dict(params or {"seed": 0}))}
        for stage, numbers in (metrics or {}).items():
            files[f"metrics/{stage}.json"] = json.dumps(dict(numbers))
        return self._commit(name, run_message(name, facts), files)

    def _commit(self, name: str, message: str, files: Mapping[str, str]) -> str:
        git = self.git
        index = {"GIT_INDEX_FILE": str(self.path / ".git" / "family-index")}
        git.run("read-tree", "HEAD", env=index)
        for path, text in files.items():
            blob = git.run("hash-object", "-w", "--stdin", stdin=text)
            git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=index)
        tree = git.run("write-tree", env=index)
        self._clock += 60
        when = {"GIT_AUTHOR_DATE": f"{self._clock} +0000", "GIT_COMMITTER_DATE": f"{self._clock} +0000"}
        head = git.run("rev-parse", "HEAD")
        commit = git.run("commit-tree", tree, "-p", head, "-m", message, env=when)
        git.run("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", commit)
        return commit


def copy_of(project: FamilyProject, path: Path) -> FamilyProject:
    """The same project elsewhere: its repository with all refs, its cache, and nothing else shared."""
    shutil.copytree(project.path, path, symlinks=True)
    copied = copy(project)
    copied.path, copied.git = path, Git(path)
    return copied


def _yaml(values: object) -> str:
    from io import StringIO

    yaml = YAML()
    stream = StringIO()
    yaml.dump(values, stream)
    return stream.getvalue()
