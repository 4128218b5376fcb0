"""A real reward model artifact small enough to be built in a test."""

import json
from pathlib import Path
from typing import Any

import torch

from stemma.config import LoraConfig
from stemma.models.scalar import save_scalar_model, trainable_scalar_model
from stemma.models.tokenizer import load_tokenizer
from stemma.stage.manifest import write_manifest
from tests.tiny import MACHINE


def tiny_reward_artifact(folder: Path, sft: Path, seed: int = 0) -> Path:
    """A scalar model on the trunk of a policy artifact, with a random head and scores of about unit size."""
    folder.mkdir(parents=True)
    model = trainable_scalar_model(sft, MACHINE, "full", LoraConfig())
    head: Any = model.score
    torch.nn.init.normal_(head.weight, generator=torch.Generator().manual_seed(seed))
    save_scalar_model(model, load_tokenizer(sft), folder)
    (folder / "scaling.json").write_text(json.dumps({"mean": 0.5, "std": 2.0}))
    write_manifest(folder, folder.name, {})
    return folder
