"""A real reward model artifact small enough to be built in a test."""

import json
import math
from pathlib import Path
from typing import Any

import torch

from stemma.config import LoraConfig
from stemma.models.scalar import load_scalar_model, save_scalar_model, trainable_scalar_model
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


def partial_artifact(folder: Path, sft: Path, value: float) -> Path:
    """A scalar model that scores every answer 0, and this value where it ends by itself."""
    tiny_reward_artifact(folder, sft)
    model, tokenizer = load_scalar_model(folder, MACHINE), load_tokenizer(sft)
    prefer_last_token(model, tokenizer.eos_token_id, value)
    save_scalar_model(model, tokenizer, folder)
    (folder / "scaling.json").write_text(json.dumps({"mean": 0.0, "std": 1.0}))
    return folder


@torch.no_grad()
def prefer_last_token(model: torch.nn.Module, token: int, value: float = 1.0) -> None:
    """Make the model's value at a position this one where its token is this one, else 0."""
    for name, parameter in model.named_parameters():
        if "o_proj" in name or "down_proj" in name:
            parameter.zero_()  # every layer passes the token's embedding on as it is
        if "embed_tokens" in name:
            parameter.zero_()
            parameter[:, 0] = 1.0
            parameter[token] = 0.0
            parameter[token, 1] = 1.0
        if "score" in name:
            parameter.zero_()
            parameter[0, 1] = value / math.sqrt(parameter.shape[1])  # the last norm scales a unit vector by this root
