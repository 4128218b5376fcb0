"""A project of ten thousand made-up runs, written as `dvc exp save` leaves them, in the time of one training.

The stages, their dependencies and their settings are the real ones. Most runs change a setting of PPO or of the reward
model, some go back to SFT or the data, and every so often a round begins from an earlier policy.
"""

import hashlib
import json
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from io import StringIO
from pathlib import Path
from typing import IO

from ruamel.yaml import YAML

from stemma.config import Values, read_yaml
from stemma.lineage.chain import Chain
from stemma.lineage.registry import MODELS, Version
from stemma.lineage.runs import run_message
from stemma.stage.definition import PARAMS_FILE, read_definitions

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("data", "base", "sft", "sample", "label", "judge", "reward", "ppo", "eval_ppo")
DEPARTURES = {"data": 1, "base": 1, "sft": 3, "label": 5, "reward": 30, "ppo": 60}
"""From which stage on a run's settings differ from an earlier run's, in per cent."""
RUNS_A_ROUND = 500
RUNS_A_CODE = 100
"""Runs after which somebody changes the code of PPO."""
VERDICTS = b"".join(b'{"prompt_id":"%d","annotator":"%s"}\n' % (n, (b"ada", b"ben")[n % 2]) for n in range(3600))
"""As many as the default world has."""


@dataclass(frozen=True)
class Made:
    """One stage of one run."""

    text: str
    """Its lines in dvc.lock."""
    artifact: str


@dataclass
class Project:
    """The made-up project."""

    path: Path
    runs: int = 0
    newest: str = ""
    data: str = ""
    """The first data's id."""
    commit: str = ""
    """The experiment of the first run."""
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 -- a benchmark's dice

    @property
    def index(self) -> Path:
        """Where Stemma keeps its index."""
        return self.path / ".stemma" / "index.db"

    def git(self, *args: str) -> str:
        """Run Git in the project."""
        done = subprocess.run(["git", *args], cwd=self.path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, runs: int) -> None:
        """Write the project with so many runs."""
        self.runs = runs
        self.path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        subprocess.run(["dvc", "init", "--quiet"], cwd=self.path, check=True)
        for name in ("dvc.yaml", "params.yaml", ".gitignore"):
            (self.path / name).write_bytes((ROOT / name).read_bytes())
        self.git("add", "--all")
        identity = ("-c", "user.name=b", "-c", "user.email=b@localhost")
        self.git(*identity, "commit", "--quiet", "--message", "first")
        head = self.git("rev-parse", "HEAD")
        command = ["git", "fast-import", "--quiet", "--export-marks=.git/marks"]
        with subprocess.Popen(command, cwd=self.path, stdin=subprocess.PIPE) as importer:
            assert importer.stdin  # noqa: S101 -- for the type checker
            written = self._write_runs(importer.stdin, head)
            importer.stdin.close()
        self._register(written)

    def _write_runs(self, stream: IO[bytes], head: str) -> list[str]:
        """Write every run's commit; returns their policies."""
        writer = Stages(self.chance, self._label)
        for number in range(self.runs):
            made, ran = writer.next_run(number)
            name = f"run-{number:05}"
            facts = {
                "Flow": "rlhf",
                "Stages": " ".join(made),
                "Made": " ".join(f"{stage}={made[stage].artifact}" for stage in ran),
                "Policy": f"ppo={made['ppo'].artifact}",
                "Dirty": "false",
            }
            lock = "schema: '2.0'\nstages:\n" + "".join(stage.text for stage in made.values())
            files = {"dvc.lock": lock, "tasks/ppo.py": f"version {number // RUNS_A_CODE}\n"}
            ref = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
            stream.write(commit(ref, number + 1, head, run_message(name, facts), files))
            if number == 0:
                self.data = made["data"].artifact
        self.newest = name
        return writer.policies

    def _label(self, number: int) -> str:
        """Put labels into the cache, so that trace has annotators to count; returns their id."""
        file = hashlib.md5(VERDICTS, usedforsecurity=False).hexdigest()
        report = {"md5": digest(f"report {number}"), "relpath": "report.json"}
        listed = json.dumps([report, {"md5": file, "relpath": "verdicts.jsonl"}]).encode()
        oid = hashlib.md5(listed, usedforsecurity=False).hexdigest()
        for name, content in ((file, VERDICTS), (f"{oid}.dir", listed)):
            place = self.path / ".dvc" / "cache" / "files" / "md5" / name[:2] / name[2:]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        return f"{oid}.dir"

    def _register(self, policies: Sequence[str]) -> None:
        """Register every tenth policy, and let an alias point to the newest of them."""
        marks = dict(line.split() for line in (self.path / ".git" / "marks").read_text().splitlines())
        self.commit = marks[":1"]
        versions = [
            Version(place + 1, f"run-{number:05}", marks[f":{number + 1}"], "ppo", policies[number])
            for place, number in enumerate(range(0, len(policies), 10))
        ]
        state = {
            "versions": {str(version.number): asdict(version) for version in versions},
            "aliases": {"champion": len(versions)},
        }
        Chain(self.path, f"{MODELS}policy").append(None, "register", {"act": "register"}, state)


class Stages:
    """Makes one run's stages after the other."""

    def __init__(self, chance: random.Random, label: Callable[[int], str]) -> None:
        self.policies: list[str] = []
        self._chance = chance
        self._label = label
        self._definitions = read_definitions(ROOT)
        params = read_yaml(ROOT / PARAMS_FILE)
        self._params = {
            stage: settings_lines({name: params[name] for name in self._definitions[stage].params if name != "seed"})
            for stage in STAGES
        }
        self._round: list[dict[str, Made]] = []

    def next_run(self, number: int) -> tuple[dict[str, Made], list[str]]:
        """A run's stages, and which of them it ran itself."""
        before = self._chance.choice(self._round[-50:]) if self._round else {}
        departure = "data" if not before else self._departure()
        if number and number % RUNS_A_ROUND == 0:
            departure, self._round = "base", []
        ran = list(STAGES[STAGES.index(departure) :])
        made = {stage: before[stage] for stage in STAGES if stage not in ran}
        for stage in ran:
            made[stage] = self._made(stage, made, number, number if stage == departure else 0)
        self._round.append(made)
        self.policies.append(made["ppo"].artifact)
        return made, ran

    def _departure(self) -> str:
        return self._chance.choices(list(DEPARTURES), list(DEPARTURES.values()))[0]

    def _made(self, stage: str, made: dict[str, Made], number: int, seed: int) -> Made:
        definition = self._definitions[stage]
        artifact = self._label(number) if stage == "label" else digest(f"{number} {stage}") + ".dir"
        deps = {f"artifacts/{name}": made[name].artifact for name in definition.inputs}
        deps |= {path.as_posix(): code(path.as_posix(), number) for path in definition.code}
        if stage == "base" and self.policies:
            deps["inputs/policy"] = self._chance.choice(self.policies[-RUNS_A_ROUND:])
        lines = [
            f"  {definition.address}:",
            f"    cmd: {definition.cmd}",
            "    deps:",
            *(dependency(path, md5) for path, md5 in sorted(deps.items())),
            "    params:",
            "      params.yaml:",
            self._params[stage] + f"        seed: {seed}",
            "    outs:",
            dependency(f"artifacts/{stage}", artifact),
        ]
        return Made("\n".join(lines) + "\n", artifact)


def settings_lines(settings: Values) -> str:
    """Settings as DVC indents them in dvc.lock."""
    stream = StringIO()
    YAML().dump(settings, stream)
    return "".join(f"        {line}\n" for line in stream.getvalue().splitlines())


def dependency(path: str, md5: str) -> str:
    """A dependency or an output as DVC writes it in dvc.lock."""
    return f"    - path: {path}\n      hash: md5\n      md5: {md5}\n      size: 1000"


def code(path: str, number: int) -> str:
    """The md5 of a dependency that is no artifact, as it was at a run."""
    if path == "tasks/ppo.py":
        return digest(f"version {number // RUNS_A_CODE}\n")
    return digest(path) + (".dir" if path == "inputs" else "")


def digest(text: str) -> str:
    """The md5 of a text."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def commit(ref: str, mark: int, parent: str, message: str, files: dict[str, str]) -> bytes:
    """A commit in the language of `git fast-import`."""
    return b"".join(_commit_lines(ref, mark, parent, message, files))


def _commit_lines(ref: str, mark: int, parent: str, message: str, files: dict[str, str]) -> Iterator[bytes]:
    yield f"commit {ref}\nmark :{mark}\ncommitter b <b@localhost> {1_700_000_000 + mark * 60} +0000\n".encode()
    yield f"data {len(message.encode())}\n{message}\n".encode()
    if parent:
        yield f"from {parent}\n".encode()
    for path, text in files.items():
        yield f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n".encode()
