"""Random families that are whole: manifests, code, settings, metrics and raw data, as a real run leaves them.

All runs are written to Git in one `git fast-import`, so that hundreds of them take a second.
"""

import json
import random
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from stemma.lineage.git import Git
from stemma.lineage.runs import run_message
from tests.family import FamilyProject, md5

STAGES = ("data", "base", "sft", "sample", "label", "reward", "ppo")
METRICS = "metrics/reward.json"


@dataclass
class WholeRun:
    """One run, as its commit holds it."""

    name: str
    lock: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By stage."""
    files: dict[str, str] = field(default_factory=dict)
    """The text of everything else in the commit, by path."""
    parents: dict[str, list[str]] = field(default_factory=dict)
    """What each artifact was made from, by DVC id."""
    ran: list[str] = field(default_factory=list)

    @property
    def policy(self) -> str:
        """DVC id of the policy."""
        return str(self.lock["ppo"]["outs"][0]["md5"])

    def message(self) -> str:
        made = {stage: entry["outs"][0]["md5"] for stage, entry in self.lock.items()}
        facts = {
            "Flow": "rlhf",
            "Stages": " ".join(self.lock),
            "Made": " ".join(f"{stage}={made[stage]}" for stage in self.ran),
            "Policy": f"ppo={made['ppo']}",
            "Dirty": "false",
        }
        return run_message(self.name, facts)

    def contents(self) -> dict[str, str]:
        """Every file of the commit that is the run's own."""
        return {**self.files, "dvc.lock": lock_text(self.lock)}


class WholeProject:
    """A project of random runs, each made from artifacts of its own and of earlier runs."""

    def __init__(self, path: Path, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 -- a test's dice
        self.project = FamilyProject(path)
        self.path = path
        self.runs: list[WholeRun] = []
        self.commits: dict[str, str] = {}
        """The commit of each run, by name."""
        self._raw_objects: dict[str, dict[str, str]] = {}
        self._sizes: dict[str, tuple[int, int]] = {}

    def copy(self, path: Path) -> Self:
        """The same project elsewhere."""
        shutil.copytree(self.path, path)
        other = deepcopy(self)
        other.path = other.project.path = path
        other.project.git = Git(path)
        return other

    def add(self, name: str) -> WholeRun:
        """Make a random run; `save` writes it to Git."""
        run, chance = WholeRun(name), self.chance
        before = chance.choice(self.runs) if self.runs and chance.random() < 0.8 else None
        shared = STAGES[: chance.randint(0, len(STAGES) - 1)] if before else ()
        for stage in STAGES:
            if before and stage in shared and stage in before.lock:
                self._restore(run, before, stage)
            elif stage in {"data", "ppo"} or chance.random() < 0.75:
                self._make(run, stage, [other for other in run.lock if chance.random() < 0.6])
        return self._complete(run)

    def add_line(self, name: str, stages: Sequence[str], restored: Sequence[str] = ()) -> WholeRun:
        """Make a run in which each stage is made from the one before it; some are those of the newest run."""
        run = WholeRun(name)
        for stage in stages:
            if stage in restored:
                self._restore(run, self.runs[-1], stage)
            else:
                self._make(run, stage, list(run.lock)[-1:])
        return self._complete(run)

    def save(self) -> None:
        """Write all runs to Git."""
        self.write({run.name: (run.message(), run.contents()) for run in self.runs if run.name not in self.commits})

    def write(self, commits: Mapping[str, tuple[str, Mapping[str, str]]]) -> None:
        """Write experiments to Git: message and files, by name; one that is there is replaced."""
        git = self.project.git
        head = git.run("rev-parse", "HEAD")
        stream = ["feature done\n"]
        for number, (name, (message, files)) in enumerate(commits.items()):
            when = 1_700_000_000 + 60 * (len(self.commits) + number)
            stream.append(f"commit {self.ref(name)}\n")
            stream += [f"{who} Tess <tess@localhost> {when} +0000\n" for who in ("author", "committer")]
            stream.append(f"data {len(message.encode())}\n{message}\nfrom {head}\n")
            stream += [f"M 100644 inline {p}\ndata {len(text.encode())}\n{text}\n" for p, text in files.items()]
        subprocess.run(
            ["git", "fast-import", "--quiet", "--force"], input="".join([*stream, "done\n"]).encode(),
            cwd=self.path, check=True, capture_output=True,
        )  # fmt: skip
        listed = git.run("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").splitlines()
        self.commits |= {ref.rsplit("/", 1)[-1]: commit for ref, commit in (line.split() for line in listed)}

    def ref(self, name: str) -> str:
        """The ref of a run."""
        head = self.project.git.run("rev-parse", "HEAD")
        return f"refs/exps/{head[:2]}/{head[2:]}/{name}"

    def add_remotes(self) -> Path:
        """Give the project a DVC remote and a Git remote that hold all there is; returns the objects of the former."""
        store, bare = self.path.with_name("store"), self.path.with_name("origin.git")
        with (self.path / ".dvc" / "config").open("a") as config:
            config.write(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {store}\n")
        shutil.copytree(self.project.cache, store / "files" / "md5")
        git = self.project.git
        git.run("init", "--quiet", "--bare", str(bare))
        git.run("remote", "add", "origin", str(bare))
        git.run("push", "--quiet", "origin", "refs/exps/*:refs/exps/*", "refs/stemma/*:refs/stemma/*")
        return store / "files" / "md5"

    def ancestors(self, artifact: str) -> set[str]:
        """An artifact and all that it was made from, by brute force."""
        parents: dict[str, list[str]] = {}
        for run in self.runs:
            parents |= run.parents
        found: set[str] = set()
        waiting = [artifact]
        while waiting:
            oid = waiting.pop()
            if oid not in found:
                found.add(oid)
                waiting += parents.get(oid, [])
        return found

    def holders(self, artifact: str) -> dict[str, set[str]]:
        """The artifacts of a family that hold each of its objects."""
        held: dict[str, set[str]] = {}
        for ancestor in self.ancestors(artifact):
            for oid in self.objects(ancestor).values():
                held.setdefault(oid, set()).add(ancestor)
        return held

    def objects(self, artifact: str) -> dict[str, str]:
        """The objects that DVC keeps of an artifact, its list of files too, or of raw data, by path."""
        if artifact in self._raw_objects:
            return self._raw_objects[artifact]
        listed = json.loads(self.project.place(artifact).read_bytes())
        return {"": artifact, **{item["relpath"]: item["md5"] for item in listed}}

    def _complete(self, run: WholeRun) -> WholeRun:
        settings = {stage: entry["params"]["params.yaml"][stage] for stage, entry in run.lock.items()}
        run.files["params.yaml"] = json.dumps({"seed": 0, **settings})
        run.files["dvc.yaml"] = json.dumps({"stages": {stage: _described(entry) for stage, entry in run.lock.items()}})
        self.runs.append(run)
        return run

    def _restore(self, run: WholeRun, before: WholeRun, stage: str) -> None:
        """Take a stage as an earlier run has it, with all that it needs."""
        run.lock[stage] = before.lock[stage]
        oid = before.lock[stage]["outs"][0]["md5"]
        run.parents[oid] = before.parents[oid]
        paths = [item["path"] for item in (*before.lock[stage]["deps"], *before.lock[stage]["outs"])]
        run.files |= {path: before.files[path] for path in paths if path in before.files}
        if stage == "data":
            run.files |= {path: text for path, text in before.files.items() if path.startswith("inputs/")}

    def _make(self, run: WholeRun, stage: str, own: Sequence[str]) -> None:
        chance, project = self.chance, self.project
        files = {f"part-{i}.bin": chance.randbytes(chance.randint(1, 300)) for i in range(chance.randint(1, 3))}
        files["config.json"] = b"{}\n"
        inputs = {other: str(run.lock[other]["outs"][0]["md5"]) for other in own}
        oid = project.artifact(stage, files, {other: project.manifest_sha256(md5) for other, md5 in inputs.items()})
        deps = [self.item(f"artifacts/{other}", parent) for other, parent in inputs.items()]
        if stage == "data":
            deps.append(self._raw(run))
        elif stage == "base" and self.runs and chance.random() < 0.3:
            deps.append(self.item("inputs/policy", chance.choice(self.runs).policy))
        run.parents[oid] = [dep["md5"] for dep in deps]
        for path in (f"tasks/{stage}.py", "stemma/shared.py"):
            run.files.setdefault(path, f"# {chance.random()}\n")
            deps.append(_text_item(path, run.files[path]))
        outs = [self.item(f"artifacts/{stage}", oid)]
        if stage == "reward":
            run.files[METRICS] = json.dumps({"test/accuracy": chance.random()})
            outs.append(_text_item(METRICS, run.files[METRICS]))
        run.lock[stage] = {
            "cmd": f"python -m tasks.{stage}",
            "deps": sorted(deps, key=lambda dep: str(dep["path"])),
            "params": {"params.yaml": {stage: {"rate": chance.choice([0.001, 1e-05, 3]), "kind": "full"}}},
            "outs": outs,
        }
        run.ran.append(stage)

    def _raw(self, run: WholeRun) -> dict[str, Any]:
        """A raw folder, where runs have it now or had it once: one file in Git, one in DVC or none."""
        folder = self.chance.choice(["inputs/data", "inputs"])
        run.files = {path: text for path, text in run.files.items() if not path.startswith("inputs/")}
        listed = {".gitkeep": ""}
        if self.chance.random() < 0.6:
            content = f"{self.chance.random()}\n".encode()
            raw = self.project.put(content)
            out = {"md5": raw, "size": len(content), "hash": "md5", "path": "rows.jsonl"}
            listed |= {".gitignore": "/rows.jsonl\n", "rows.jsonl.dvc": json.dumps({"outs": [out]})}
        run.files |= {f"{folder}/{name}": text for name, text in listed.items()}
        if "rows.jsonl.dvc" in listed:
            listed["rows.jsonl"] = content.decode()
        tree = [{"md5": md5(text.encode()), "relpath": name} for name, text in sorted(listed.items())]
        oid = md5(json.dumps(tree, sort_keys=True).encode()) + ".dir"
        kept = {item["relpath"]: item["md5"] for item in tree if item["relpath"] == "rows.jsonl"}
        self._raw_objects[oid] = kept
        size = sum(len(text) for text in listed.values())
        return {"path": folder, "hash": "md5", "md5": oid, "size": size, "nfiles": len(listed)}

    def item(self, path: str, oid: str) -> dict[str, Any]:
        """A folder as dvc.lock tells of it."""
        if oid not in self._sizes:
            files = [self.project.place(file) for name, file in self.objects(oid).items() if name]
            self._sizes[oid] = (sum(file.stat().st_size for file in files), len(files))
        size, count = self._sizes[oid]
        return {"path": path, "hash": "md5", "md5": oid, "size": size, "nfiles": count}


def lock_text(lock: Mapping[str, Mapping[str, Any]]) -> str:
    """A dvc.lock as DVC lays it out; a YAML writer would take most of the tests' time."""
    lines = ["schema: '2.0'", "stages:"]
    for stage, entry in lock.items():
        lines += [f"  {stage}:", f"    cmd: {entry['cmd']}", "    deps:", *_item_lines(entry["deps"])]
        lines += ["    params:", "      params.yaml:"]
        lines += [f"        {key}: {json.dumps(value)}" for key, value in entry["params"]["params.yaml"].items()]
        lines += ["    outs:", *_item_lines(entry["outs"])]
    return "\n".join([*lines, ""])


def _item_lines(items: Sequence[Mapping[str, Any]]) -> list[str]:
    pairs = [[f"{key}: {value}" for key, value in item.items()] for item in items]
    return [("      " if number else "    - ") + pair for item in pairs for number, pair in enumerate(item)]


def _text_item(path: str, text: str) -> dict[str, Any]:
    return {"path": path, "hash": "md5", "md5": md5(text.encode()), "size": len(text.encode())}


def _described(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A stage of dvc.yaml, such that DVC would have written this entry."""
    outs = [out["path"] for out in entry["outs"]]
    return {
        "cmd": entry["cmd"],
        "deps": [dep["path"] for dep in entry["deps"]],
        "params": list(entry["params"]["params.yaml"]),
        "outs": [path for path in outs if path != METRICS],
        **({"metrics": [{METRICS: {"cache": False}}]} if METRICS in outs else {}),
    }
