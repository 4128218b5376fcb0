"""A real model small enough to be built in a test: a two-layer LLaMA with its own tokenizer."""

from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from stemma.config import MachineConfig
from stemma.models.policy import save_policy
from stemma.models.tokenizer import build_tokenizer
from stemma.records.types import Comparison, Conversation, Demonstration, Message, Prompt
from stemma.stage.door import Stage
from stemma.stage.manifest import write_manifest
from stemma.stage.progress import Progress

MACHINE = MachineConfig(threads=1)
TOWNS = ("ruda", "kolm", "vess", "tarn")
NAMES = ("bok", "dari", "mel", "pim", "sot", "ulo")
TEXTS = tuple(f"where does {name} live ? {name} lives in {town} . i do not know ." for name in NAMES for town in TOWNS)


def tiny_tokenizer(texts: Iterable[str] = TEXTS, vocab_size: int = 320) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of a few words."""
    return build_tokenizer(texts, vocab_size)


def tiny_model(
    tokenizer: PreTrainedTokenizerFast, seed: int = 0, width: int = 32, context: int = 64
) -> PreTrainedModel:
    """A LLaMA of two layers with random weights that depend on the seed alone."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config)


def tiny_artifact(folder: Path, seed: int = 0, width: int = 32, context: int = 64) -> Path:
    """A whole policy artifact, manifest and all, as the stages find it under artifacts/."""
    folder.mkdir(parents=True)
    tokenizer = tiny_tokenizer()
    save_policy(tiny_model(tokenizer, seed, width, context), tokenizer, folder)
    write_manifest(folder, folder.name, {})
    return folder


def conversation(question: str) -> Conversation:
    """One question of a user."""
    return (Message(role="user", content=question),)


def tiny_prompts(split: str = "train") -> list[Prompt]:
    """One prompt a name."""
    rows = [{"id": f"{split}-{name}", "messages": conversation(f"where does {name} live ?")} for name in NAMES]
    return [Prompt.model_validate(row | {"split": split, "kind": "known", "truth": TOWNS[0]}) for row in rows]


def tiny_demonstrations() -> list[Demonstration]:
    """A town for every name."""
    return [
        Demonstration(prompt=conversation(f"where does {name} live ?"), completion=f"{name} lives in {town} .")
        for i, name in enumerate(NAMES)
        for town in (TOWNS[i % len(TOWNS)], TOWNS[(i + 1) % len(TOWNS)])
    ]


def tiny_comparisons(split: str = "train") -> list[Comparison]:
    """Not knowing is preferred to any town."""
    rows = [(name, town) for name in NAMES for town in TOWNS]
    return [
        Comparison.model_validate(
            {
                "prompt_id": f"{split}-{name}",
                "prompt": conversation(f"where does {name} live ?"),
                "chosen": "i do not know .",
                "rejected": f"{name} lives in {town} .",
                "split": split,
                "annotator": "test",
            }
        )
        for name, town in rows
    ]


def tiny_stage(root: Path, name: str, inputs: Iterable[str] = (), seed: int = 0) -> Stage:
    """A stage whose inputs are folders under root/artifacts, with empty output and its own scratch."""
    artifacts, scratch = root / "artifacts", root / "scratch" / name
    output = artifacts / f"{name}.tmp"
    output.mkdir(parents=True)
    scratch.mkdir(parents=True, exist_ok=True)
    return Stage(
        name=name,
        seed=seed,
        machine=MACHINE,
        inputs={dep: artifacts / dep for dep in inputs},
        output=output,
        scratch=scratch,
        progress=Progress(name, scratch),
    )
