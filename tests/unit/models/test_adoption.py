import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma2Config,
    Glm4Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    OPTConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from stemma.config import LoraConfig
from stemma.errors import ArtifactError
from stemma.models.adoption import adopt, fit_model, fit_tokenizer
from stemma.models.chat import encode_answers, encode_prompts, render_prompt
from stemma.models.load_errors import translate_load_errors
from stemma.models.policy import load_policy, save_policy
from stemma.models.scalar import load_scalar_model, save_scalar_model, token_values, trainable_scalar_model
from stemma.models.tokenizer import CHAT_TEMPLATE, PAD
from stemma.sampling.prompts import pad_left
from stemma.stage.manifest import write_manifest
from tests.tiny import MACHINE, conversation, tiny_model, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
TOKENS: dict[str, Any] = {"vocab_size": len(TOKENIZER), "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 4}
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    **TOKENS,
}
GROUPED: dict[str, Any] = {**SMALL, "num_key_value_heads": 1, "max_position_embeddings": 64}
FAMILIES: list[PretrainedConfig] = [
    LlamaConfig(**GROUPED),
    MistralConfig(**GROUPED),
    Qwen2Config(**GROUPED),
    Qwen3Config(**GROUPED, head_dim=16),
    Gemma2Config(**GROUPED, head_dim=16),
    Glm4Config(**GROUPED, head_dim=16),
    GPTNeoXConfig(**SMALL, max_position_embeddings=64),
    GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=64, **TOKENS),
    OPTConfig(hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=2, word_embed_proj_dim=32, **TOKENS),
    BloomConfig(hidden_size=32, n_layer=2, n_head=2, **TOKENS),
]
QWEN_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_reward_model_of_every_family_is_exact_under_left_padding(config: Any, tuning: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    policy = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    sft = tmp_path / "sft"
    save_policy(policy, TOKENIZER, sft)
    write_manifest(sft, "sft", {})
    trained = trainable_scalar_model(sft, MACHINE, tuning, LoraConfig(r=2, alpha=4))
    for parameter in trained.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05
    folder = tmp_path / "reward"
    folder.mkdir()
    save_scalar_model(trained, TOKENIZER, folder, sft)

    model = load_scalar_model(folder, MACHINE)
    rows = [[5, 6, 7, 8], [9, 10]]
    batch = token_values(model, *pad_left(rows, 0, torch.device("cpu")))
    for row, values in zip(rows, batch, strict=True):
        alone = token_values(model, torch.tensor([row]), torch.ones(1, len(row), dtype=torch.long))[0]
        assert_close(values[-len(row) :], alone, rtol=0, atol=1e-5)


def test_a_model_without_template_and_padding_is_given_them(tmp_path: Path) -> None:
    bare, model = tiny_tokenizer(), tiny_model(tiny_tokenizer())
    bare.chat_template, bare.pad_token = None, None
    save_policy(model, bare, tmp_path)
    adopted, tokenizer = adopt(tmp_path)
    assert tokenizer.chat_template == CHAT_TEMPLATE
    assert tokenizer.pad_token == PAD
    assert (adopted.config.pad_token_id, adopted.config.eos_token_id) == (tokenizer.pad_token_id, 4)
    assert_close(adopted(torch.tensor([[5, 6]])).logits, model(torch.tensor([[5, 6]])).logits, rtol=0, atol=0)


def test_padding_that_ends_turns_gets_a_token_and_an_embedding_of_its_own(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.add_special_tokens({"pad_token": "<|padding|>"})
    model, before = tiny_model(tiny_tokenizer()), len(tiny_tokenizer())
    fit_tokenizer(tokenizer)
    fit_model(model, tokenizer)
    assert tokenizer.pad_token_id == before
    embeddings: Any = model.get_input_embeddings()
    assert embeddings.weight.shape[0] == before + 1
    save_policy(model, tokenizer, tmp_path)
    assert load_policy(tmp_path, MACHINE)(torch.tensor([[before]])).logits.shape[-1] == before + 1


def test_a_turn_ends_with_the_token_that_the_models_own_template_writes() -> None:
    end = "<|im_end|>"
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", end]})
    tokenizer.chat_template = QWEN_TEMPLATE
    fit_tokenizer(tokenizer)
    assert tokenizer.eos_token == end
    question = conversation("where does bok live ?")
    assert render_prompt(tokenizer, question).endswith("<|im_start|>assistant\n")
    assert tokenizer.decode(encode_answers(tokenizer, ["ruda"])[0]) == "ruda<|im_end|>"
    (prompt,), (answer,) = encode_prompts(tokenizer, [question]), encode_answers(tokenizer, ["ruda"])
    assert tokenizer.decode(prompt + answer) == (
        "<|im_start|>user\nwhere does bok live ?<|im_end|>\n<|im_start|>assistant\nruda<|im_end|>"
    )


def test_code_that_comes_with_a_model_is_never_run(tmp_path: Path) -> None:
    LlamaForCausalLM(LlamaConfig(**GROUPED)).save_pretrained(tmp_path)
    config = (tmp_path / "config.json").read_text()
    own = '"auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}, "model_type": "own"'
    (tmp_path / "config.json").write_text(config.replace('"model_type": "llama"', own))
    (tmp_path / "own.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    with pytest.raises(ArtifactError, match=r"architecture 'own', .* and whose own code is never run"):
        adopt(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"quantization_config": {"quant_method": "awq"}}, r"m is quantised \(awq\), and plain weights are needed"),
        ({"model_type": "martian"}, r"m is of architecture 'martian', which transformers [\d.]+ does not have: take a"),
        ({"model_type": "t5"}, r"m is not a causal language model that transformers [\d.]+ can load: Unrecognized"),
        ({"hidden_size": 16}, r"m is not a causal language model .* its weights have other sizes than its config.json"),
        ({"hidden_size": "wide"}, r"m is not a causal language model that transformers [\d.]+ can load: "),
    ],
)
def test_a_model_that_cannot_be_loaded_is_told_in_one_message(
    config: dict[str, Any], told: str, tmp_path: Path
) -> None:
    save_policy(tiny_model(tiny_tokenizer()), tiny_tokenizer(), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    with pytest.raises(ArtifactError, match=told):
        adopt(tmp_path, "m")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("config.json", b"{", r"m: config.json is not JSON \(Expecting"),
        ("config.json", None, "m has no config.json, so it is not a model that transformers can load"),
        ("tokenizer.json", None, "m has no tokenizer; take a repository or revision that has tokenizer.json"),
        ("model.safetensors", b"torn", r"m is not a causal language model .*: Error while deserializing header"),
        (
            "model.safetensors",
            None,
            r"m is not a causal language model .*: Error no file named model.safetensors found",
        ),
        ("chat_template.jinja", b"{% if %}", r"m is not a causal language model .*: Expected an expression, got"),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_told_in_one_message(
    name: str, content: bytes | None, told: str, tmp_path: Path
) -> None:
    save_policy(tiny_model(tiny_tokenizer()), tiny_tokenizer(), tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=told):
        adopt(tmp_path, "m")


@pytest.mark.skipif(find_spec("sentencepiece") is not None, reason="the package is installed here")
def test_a_tokenizer_that_needs_a_missing_package_is_told_with_the_package(tmp_path: Path) -> None:
    save_policy(tiny_model(tiny_tokenizer()), tiny_tokenizer(), tmp_path)
    (tmp_path / "tokenizer.json").rename(tmp_path / "tokenizer.model")
    with pytest.raises(ArtifactError, match="needs the Python package sentencepiece: install it with `pip install"):
        adopt(tmp_path, "m")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ImportError("sentencepiece is required.\npip install it"),
            "needs a Python package .*: sentencepiece is required. Ins",
        ),
        (ValueError("pass `trust_remote_code=True` to run it"), "can load: the model needs Python code from its own"),
        (RuntimeError("size mismatch for wte"), "can load: size mismatch for wte. Take another model."),
        (KeyError("model.memory_gate.weight"), "can load: 'model.memory_gate.weight'. Take another model."),
    ],
)
def test_errors_of_the_libraries_become_one_message_without_their_advice(error: Exception, told: str) -> None:
    with pytest.raises(ArtifactError, match=told) as caught, translate_load_errors("a model"):
        raise error
    assert "trust_remote_code" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("unable to mmap 988097824 bytes from file <model.safetensors>: Cannot allocate memory (12)"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_a_model_that_the_memory_does_not_hold_is_no_fault_of_the_model(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, translate_load_errors("a model"):
        raise error
    assert caught.value is error


def test_the_fetched_generation_config_is_replaced_whole(tmp_path: Path) -> None:
    model: Any = LlamaForCausalLM(LlamaConfig(**GROUPED))
    model.generation_config.update(
        do_sample=True, min_p=0.2, top_k=5, suppress_tokens=[7], bad_words_ids=[[8]], sequence_bias=[[[9], -5.0]],
        repetition_penalty=1.3, forced_eos_token_id=4, eos_token_id=[4, 9],
    )  # fmt: skip
    model.save_pretrained(tmp_path / "fetched")
    TOKENIZER.save_pretrained(tmp_path / "fetched")
    adopted, tokenizer = adopt(tmp_path / "fetched")
    save_policy(adopted, tokenizer, tmp_path / "base")
    written = json.loads((tmp_path / "base" / "generation_config.json").read_text(encoding="utf-8"))
    assert set(written) - {"transformers_version", "_from_model_config"} == {"eos_token_id", "pad_token_id"}
    assert written["eos_token_id"] == tokenizer.eos_token_id
