import json
import shutil
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from stemma.config import MachineConfig
from stemma.errors import ArtifactError, SettingsError
from stemma.models.policy import context_of, load_policy, save_policy, trainable_policy
from stemma.models.scalar import trainable_scalar_model
from stemma.models.tokenizer import load_tokenizer
from tests.adapted import LORA, adapted, question, shake
from tests.tiny import MACHINE, tiny_artifact


def test_a_whole_policy_loads_back_exactly(tmp_path: Path) -> None:
    base = tiny_artifact(tmp_path / "base")
    policy = trainable_policy(base, MACHINE, "full", LORA)
    shake(policy)
    save_policy(policy, load_tokenizer(base), tmp_path / "sft")
    loaded = load_policy(tmp_path / "sft", MACHINE)
    assert_close(loaded(question(base)).logits, policy(question(base)).logits, rtol=0, atol=0)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert not loaded.training


def test_adapters_load_back_to_the_same_logits(tmp_path: Path) -> None:
    base = tiny_artifact(tmp_path / "sft")
    folder, logits = adapted(base, tmp_path / "ppo")
    with torch.no_grad():
        assert_close(load_policy(folder, MACHINE)(question(base)).logits, logits, rtol=0, atol=1e-5)
        assert not torch.allclose(load_policy(base, MACHINE)(question(base)).logits, logits, atol=1e-2)


def test_adapters_over_adapters_are_followed_down_to_the_weights(tmp_path: Path) -> None:
    base = tiny_artifact(tmp_path / "base")
    sft, _ = adapted(base, tmp_path / "sft")
    ppo, logits = adapted(sft, tmp_path / "ppo")
    with torch.no_grad():
        assert_close(load_policy(ppo, MACHINE)(question(base)).logits, logits, rtol=0, atol=1e-5)


def test_only_adapters_are_trained_and_saved(tmp_path: Path) -> None:
    base = tiny_artifact(tmp_path / "sft")
    model = trainable_policy(base, MACHINE, "lora", LORA)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert len(trained) == 2 * 7 * 2  # A and B of seven linear layers in two blocks
    assert all("lora_" in name for name in trained)
    folder, _ = adapted(base, tmp_path / "ppo")
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "base.json",
        "chat_template.jinja",
        "manifest.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_saved_adapters_name_their_base_by_place_and_hash_and_nothing_absolute(tmp_path: Path) -> None:
    folder, _ = adapted(tiny_artifact(tmp_path / "sft"), tmp_path / "ppo")
    config = json.loads((folder / "adapter_config.json").read_text())
    assert json.loads((folder / "base.json").read_text())["base"] == "../sft"
    assert config["base_model_name_or_path"] == "../sft"
    assert config["target_modules"] == sorted(config["target_modules"])
    assert not [path for path in folder.iterdir() if str(tmp_path).encode() in path.read_bytes()]


def test_another_base_than_the_recorded_one_is_refused(tmp_path: Path) -> None:
    folder, _ = adapted(tiny_artifact(tmp_path / "sft"), tmp_path / "ppo")
    shutil.rmtree(tmp_path / "sft")
    tiny_artifact(tmp_path / "sft", seed=1)
    with pytest.raises(ArtifactError, match=r"ppo holds adapters for another model than .*sft: its manifest is"):
        load_policy(folder, MACHINE)


def test_a_missing_base_is_named(tmp_path: Path) -> None:
    folder, _ = adapted(tiny_artifact(tmp_path / "sft"), tmp_path / "ppo")
    shutil.rmtree(tmp_path / "sft")
    with pytest.raises(ArtifactError, match="sft, which is not there; restore it with `dvc checkout"):
        load_policy(folder, MACHINE)


def test_adapters_are_not_saved_without_their_base(tmp_path: Path) -> None:
    base = tiny_artifact(tmp_path / "sft")
    model = trainable_policy(base, MACHINE, "lora", LORA)
    with pytest.raises(ArtifactError, match="cannot be saved without naming the artifact"):
        save_policy(model, load_tokenizer(base), tmp_path)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"holds no model \(config.json is missing\)"):
        load_policy(tmp_path, MACHINE)


def test_frozen_weights_take_the_machines_precision_and_adapters_keep_32_bits(tmp_path: Path) -> None:
    base = tiny_artifact(tmp_path / "sft")
    half = MachineConfig(precision="bf16", threads=1)
    assert load_policy(base, half).dtype == torch.bfloat16
    assert trainable_policy(base, half, "full", LORA).dtype == torch.float32
    model = trainable_policy(base, half, "lora", LORA)
    assert {p.dtype for p in model.parameters() if not p.requires_grad} == {torch.bfloat16}
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}


def test_the_context_is_the_models_own(tmp_path: Path) -> None:
    assert context_of(load_policy(tiny_artifact(tmp_path / "sft", context=48), MACHINE)) == 48


@pytest.mark.skipif(torch.cuda.is_available(), reason="tells what happens where there is no GPU")
def test_a_gpu_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"machine\.device is cuda, but torch finds no GPU"):
        load_policy(tiny_artifact(tmp_path / "sft"), MachineConfig(device="cuda", threads=1))


def test_every_weight_is_trained_over_a_policy_that_was_tuned_with_adapters(tmp_path: Path) -> None:
    folder, _ = adapted(tiny_artifact(tmp_path / "base"), tmp_path / "sft")
    assert all(parameter.requires_grad for parameter in trainable_policy(folder, MACHINE, "full", LORA).parameters())
    model = trainable_scalar_model(folder, MACHINE, "full", LORA)
    assert all(parameter.requires_grad for parameter in model.parameters())
