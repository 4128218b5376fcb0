"""A tiny model with all that an export can tell: raw files, labels, an earlier round, numbers, libraries."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stemma.export.export import Exported, export
from stemma.lineage.registry import Registry
from stemma.stage.manifest import MANIFEST
from tests.family import FamilyProject, Made, md5
from tests.tiny import tiny_artifact

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
RAW = b'{"prompt": "who?", "chosen": "I do not know.", "rejected": "Me."}\n'
DEFAULTS = {"ppo": {"kl_coef": 0.1}, "seed": 0}
NUMBERS = {
    "gold/win_rate": 0.86,
    "gold/win_rate_low": 0.84,
    "gold/win_rate_high": 0.88,
    "gold/mean": 0.5,
    "sft/gold/mean": -0.2,
    "greedy/gold/mean": 0.6,
}


class Shop:
    """A project with one model to export."""

    def __init__(self, path: Path) -> None:
        self.project = FamilyProject(path)
        self._take_in_raw_file()
        self._train()

    @property
    def path(self) -> Path:
        return self.project.path

    def export(self, target: Path, name: str = "policy/1", key: Ed25519PrivateKey = KEY) -> Exported:
        return export(self.path, name, target, key, DEFAULTS)

    def _take_in_raw_file(self) -> None:
        oid = self.project.put(RAW)
        (self.path / "inputs").mkdir()
        told = f"outs:\n- md5: {oid}\n  size: {len(RAW)}\n  hash: md5\n  path: pairs.jsonl\n"
        (self.path / "inputs" / "pairs.jsonl.dvc").write_text(told)
        (self.path / "inputs" / ".gitignore").write_text("/pairs.jsonl\n")
        (self.path / "requirements.txt").write_text("# pinned\ndvc==3.67.1\nruamel.yaml==0.19.1 ; python_version>'3'\n")
        self.project.git.run("add", "--all")
        self.project.git.run("commit", "--quiet", "--message", "data")

    def _train(self) -> None:
        project = self.project
        listed = [{"md5": md5(RAW), "relpath": "pairs.jsonl"}]
        self.raw = md5(json.dumps(listed).encode()) + ".dir"
        self.data = project.artifact("data", {"prompts.jsonl": b"{}\n"})
        vouched = {"data": project.manifest_sha256(self.data)}
        self.base = project.artifact("base", {"model.safetensors": b"base"}, vouched)
        verdicts = "".join(json.dumps({"annotator": name}) + "\n" for name in ("ada", "ada", "böb | <b>"))
        self.label = project.artifact("label", {"verdicts.jsonl": verdicts.encode()}, vouched)
        early = [
            Made("data", self.data, 3, {"inputs": self.raw}, params={"data": {"files": ["inputs/pairs.jsonl"]}}),
            Made("label", self.label, 60, {"artifacts/data": self.data}, params={"label": {"source": "recorded"}}),
        ]
        project.run("early", early, policy="data")
        vouched |= {"base": project.manifest_sha256(self.base), "label": project.manifest_sha256(self.label)}
        files = _model() | {"sub/notes.json": b"[]\n"}
        self.weights = files["model.safetensors"]
        self.ppo = project.artifact("ppo", files, vouched)
        inputs = {f"artifacts/{name}": getattr(self, name) for name in ("base", "data", "label")}
        evaluation = project.artifact("eval_ppo", {"report.json": b"{}"})
        base = {"source": "folder", "model": "/home/ada/models/small", "revision": "c" * 40}
        stages = [
            *early,
            Made("base", self.base, 4, {"artifacts/data": self.data}, params={"base": base}),
            Made("ppo", self.ppo, 9, inputs, {"tasks/ppo.py": "e" * 32}, {"seed": 3, "ppo": {"kl_coef": 0.2}}),
            Made("eval_ppo", evaluation, 2, {"artifacts/ppo": self.ppo}, params={"eval": {"split": "test"}}),
        ]
        ran = ["base", "ppo", "eval_ppo"]
        self.commit = project.run("calm", stages, ran, "ppo", {"eval_ppo": NUMBERS, "reward": {"test/accuracy": 0.8}})
        Registry(self.path, "policy").register("calm", self.commit, "ppo", self.ppo)


def _model() -> dict[str, bytes]:
    """The files of a real model, without a manifest."""
    with TemporaryDirectory() as folder:
        artifact = tiny_artifact(Path(folder) / "ppo", width=4)
        return {file.name: file.read_bytes() for file in artifact.iterdir() if file.name != MANIFEST}
