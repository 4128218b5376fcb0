"""Adapters over a tiny model, and families of them in a project with a real cache."""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stemma.config import LoraConfig
from stemma.lineage.registry import Registry, Version
from stemma.models.chat import encode_prompts
from stemma.models.policy import save_policy, trainable_policy
from stemma.models.tokenizer import load_tokenizer
from stemma.stage.manifest import write_manifest
from tests.family import FamilyProject, Made
from tests.policies import MODEL
from tests.tiny import MACHINE, conversation, tiny_artifact

LORA = LoraConfig(r=4, alpha=8)


def question(folder: Path) -> Tensor:
    return torch.tensor(encode_prompts(load_tokenizer(folder), [conversation("where does bok live ?")]))


def shake(model: Any) -> None:
    """Move everything that may be trained, as training would."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)


def adapted(base: Path, folder: Path) -> tuple[Path, Tensor]:
    """An artifact of adapters over the base, and its logits while it was still in memory."""
    model = trainable_policy(base, MACHINE, "lora", LORA)
    shake(model)
    folder.mkdir(parents=True)
    save_policy(model, load_tokenizer(base), folder, base)
    write_manifest(folder, folder.name, {"base": base})
    with torch.no_grad():
        return folder, model(question(base)).logits


class AdaptedPolicies:
    """A project with two registered policies: adapters over a whole model, and adapters over adapters."""

    def __init__(self, path: Path) -> None:
        self.project = FamilyProject(path)
        self.over_whole = self._dpo(path / "artifacts")
        shutil.rmtree(path / "artifacts")
        self.over_adapters = self._ppo(path / "artifacts")

    @property
    def path(self) -> Path:
        return self.project.path

    def _dpo(self, artifacts: Path) -> tuple[Version, Tensor]:
        base, sft = tiny_artifact(artifacts / "base"), artifacts / "sft"
        whole = trainable_policy(base, MACHINE, "full", LORA)
        shake(whole)
        sft.mkdir()
        save_policy(whole, load_tokenizer(base), sft)
        write_manifest(sft, "sft", {"base": base})
        dpo, logits = adapted(sft, artifacts / "dpo")
        return self._registered("straight", [base, sft, dpo]), logits

    def _ppo(self, artifacts: Path) -> tuple[Version, Tensor]:
        base = tiny_artifact(artifacts / "base")
        sft, _ = adapted(base, artifacts / "sft")
        ppo, logits = adapted(sft, artifacts / "ppo")
        return self._registered("calm", [base, sft, ppo]), logits

    def _registered(self, run: str, folders: list[Path]) -> Version:
        """Record a run whose stages were each made from the one before, and register its last."""
        made: list[Made] = []
        for folder in folders:
            files = {file.name: file.read_bytes() for file in folder.iterdir()}
            inputs = {f"artifacts/{made[-1].stage}": made[-1].artifact} if made else {}
            made.append(Made(folder.name, self.project.folder(files), 1, inputs))
        commit = self.project.run(run, made, params={"seed": 0, "registry": {"model": MODEL}})
        return Registry(self.path, MODEL).register(run, commit, made[-1].stage, made[-1].artifact)
