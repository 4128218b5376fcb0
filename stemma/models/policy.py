"""Policies: causal language models, loaded whole whether they are stored as weights or as adapters over a base."""

from pathlib import Path
from typing import TypeVar

import torch
from peft import PeftModel
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from stemma.config import LoraConfig, MachineConfig, Tuning
from stemma.errors import ArtifactError, SettingsError
from stemma.models.adapters import base_of, merged, save_adapters, with_adapters
from stemma.models.tokenizer import save_tokenizer

M = TypeVar("M", bound=nn.Module)
MODEL_CONFIG = "config.json"
NO_LIMIT = 1 << 30


def load_policy(folder: Path, machine: MachineConfig) -> PreTrainedModel:
    """Load a policy for use: on the machine's device, in its precision, adapters merged into their base.

    Raises ArtifactError where the folder holds no model, or adapters whose base is not the one recorded.
    """
    return for_use(place(load_weights(folder, frozen_dtype(machine)), machine))


def trainable_policy(
    folder: Path, machine: MachineConfig, tuning: Tuning, lora: LoraConfig
) -> PreTrainedModel | PeftModel:
    """Load a policy for training: whole in 32 bits, or frozen in the machine's precision under new 32-bit adapters."""
    policy = policy_to_train(folder, machine, tuning)
    return with_adapters(policy, lora, "CAUSAL_LM") if tuning == "lora" else policy


def policy_to_train(folder: Path, machine: MachineConfig, tuning: Tuning) -> PreTrainedModel:
    """Load what `trainable_policy` trains, or puts adapters on, for a trainer that adds them itself."""
    return place(load_weights(folder, torch.float32 if tuning == "full" else frozen_dtype(machine)), machine)


def save_policy(
    model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, folder: Path, base: Path | None = None
) -> None:
    """Save a policy with its tokenizer and chat template.

    A model under adapters is saved as the adapters alone; `base` is then the artifact it was loaded from.
    """
    if isinstance(model, PeftModel):
        if base is None:
            raise ArtifactError(f"{folder}: adapters cannot be saved without naming the artifact they were trained on")
        save_adapters(model, folder, base)
    else:
        model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)


def context_of(model: PreTrainedModel | PeftModel) -> int:
    """The most tokens the model can hold; a very large number for families without a limit."""
    return int(getattr(model.config, "max_position_embeddings", None) or NO_LIMIT)


def frozen_dtype(machine: MachineConfig) -> torch.dtype:
    """The number format of weights that are not trained."""
    return torch.bfloat16 if machine.precision == "bf16" else torch.float32


def place(model: M, machine: MachineConfig) -> M:
    """Move the model to the machine's device.

    Raises SettingsError where that is a GPU and there is none.
    """
    if machine.device == "cuda" and not torch.cuda.is_available():
        raise SettingsError(
            "machine.device is cuda, but torch finds no GPU here; set it to cpu, or install a CUDA torch"
        )
    nn.Module.to(model, machine.device)
    return model


def for_use(model: M) -> M:
    """Freeze the model: no dropout, no gradients."""
    model.train(False)
    return model.requires_grad_(False)


def load_weights(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    """Load a causal language model on the CPU, following a chain of adapters down to the weights below it."""
    base = base_of(folder)
    if base is not None:
        return merged(load_weights(base, dtype), folder)
    if not (folder / MODEL_CONFIG).is_file():
        raise ArtifactError(f"{folder} holds no model ({MODEL_CONFIG} is missing); rebuild the stage that made it")
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, use_safetensors=True, local_files_only=True
    )
    return model
