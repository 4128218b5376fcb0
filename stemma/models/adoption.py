"""Making a fetched model fit for the stages: a chat template, an end of turn, and a padding token of its own."""

from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from stemma.models.chat import encode_texts
from stemma.models.load_errors import check_loadable, translate_load_errors
from stemma.models.tokenizer import CHAT_TEMPLATE, END, PAD, ROLES

SAID = "stemma"
"""Stands for an answer while the template is asked what follows one."""


def adopt(folder: Path, name: str | None = None) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal language model of any family that transformers knows, in its own number format, and make it fit.

    `name` is what messages call it, the folder where there is none. Code that came with the files is never run.
    Raises ArtifactError where they are no such model.
    """
    name = name or str(folder)
    check_loadable(folder, name)
    tokenizer = adopt_tokenizer(folder, name)
    with translate_load_errors(name):
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype="auto", use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    fit_model(model, tokenizer)
    return model, tokenizer


def adopt_tokenizer(folder: Path, name: str) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer and make it fit. Raises ArtifactError as `adopt` does."""
    with translate_load_errors(name):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        fit_tokenizer(tokenizer)
    return tokenizer


def adopted_context(folder: Path, name: str) -> int | None:
    """The most tokens that a model can hold, as its config.json says; None where it names no limit.

    Raises ArtifactError where the model could not be loaded.
    """
    check_loadable(folder, name)
    with translate_load_errors(name):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return getattr(config, "max_position_embeddings", None)


def fit_tokenizer(tokenizer: PreTrainedTokenizerBase) -> None:
    """Give the tokenizer what it lacks: our template, the template's end of turn as its end, a padding token.

    Padding that is also the end of a turn would hide that end from every stage that looks for it.
    """
    if tokenizer.eos_token is None:
        tokenizer.add_special_tokens({"eos_token": END})
    if tokenizer.chat_template is None:
        tokenizer.add_special_tokens({"additional_special_tokens": list(ROLES)}, replace_extra_special_tokens=False)
        tokenizer.chat_template = CHAT_TEMPLATE
    else:
        tokenizer.eos_token = _end_of_turn(tokenizer) or tokenizer.eos_token
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        tokenizer.add_special_tokens({"pad_token": PAD})


def fit_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Make room for the tokenizer's tokens, and tell the model which of them end and pad.

    Its generation_config is replaced whole, because what it says of sampling would bend every response.
    """
    embeddings: Any = model.get_input_embeddings()
    if len(tokenizer) > embeddings.weight.shape[0]:  # many models have rows to spare
        model.resize_token_embeddings(len(tokenizer))
    ends: dict[str, Any] = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    for name, token in ends.items():
        setattr(model.config, name, token)
    model.generation_config = GenerationConfig(**ends)  # type: ignore[no-untyped-call]


def _end_of_turn(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The special token that the template writes right after an answer; None where it writes none."""
    turns = [{"role": "user", "content": SAID}, {"role": "assistant", "content": SAID}]
    after = str(tokenizer.apply_chat_template(turns, tokenize=False)).rpartition(SAID)[2]
    (ids,) = encode_texts(tokenizer, [after])
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    first = tokenizer.convert_ids_to_tokens(ids[0]) if ids else None
    return first if first in special else None
