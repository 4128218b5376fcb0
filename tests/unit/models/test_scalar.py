from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers import AutoModelForCausalLM

from stemma.config import LoraConfig, MachineConfig
from stemma.errors import ArtifactError
from stemma.models.batching import pad_right
from stemma.models.scalar import (
    ScalarHead,
    load_scalar_model,
    save_scalar_model,
    scalar_model_to_go_on,
    sequence_scores,
    token_values,
    trainable_scalar_model,
)
from stemma.models.scoring import score_rows
from stemma.models.tokenizer import load_tokenizer
from stemma.sampling.prompts import pad_left
from stemma.training.ppo_models import trainable_value_model
from tests.families import FAMILIES
from tests.tiny import MACHINE, tiny_artifact
from tests.tiny_reward import tiny_reward_artifact

LORA = LoraConfig(r=4, alpha=8)
ROWS = [[5, 6, 7], [8, 9, 10, 11, 12], [13]]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("scalar")
    return load_scalar_model(tiny_reward_artifact(root / "reward", tiny_artifact(root / "sft")), MACHINE)


def alone(model: Any, row: list[int]) -> torch.Tensor:
    return token_values(model, torch.tensor([row]), torch.ones(1, len(row), dtype=torch.long))[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(rows=st.lists(st.lists(st.integers(5, 99), min_size=1, max_size=8), min_size=1, max_size=4))
def test_padding_on_either_side_changes_no_value(reward: Any, rows: list[list[int]]) -> None:
    left, right = pad_left(rows, 0, CPU), pad_right(rows, 0, CPU)
    for row, on_left, on_right in zip(rows, token_values(reward, *left), token_values(reward, *right), strict=True):
        assert_close(on_left[-len(row) :], alone(reward, row), rtol=0, atol=1e-5)
        assert_close(on_right[: len(row)], alone(reward, row), rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_padding_on_the_left_changes_no_value_of_any_family(config: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)  # type: ignore[no-untyped-call]
    model = randomized(trainable_scalar_model(tmp_path, MACHINE, "full", LORA)).eval()
    for row, value in zip(ROWS, token_values(model, *pad_left(ROWS, 0, CPU)), strict=True):
        assert_close(value[-len(row) :], alone(model, row), rtol=0, atol=1e-4)


def test_the_score_is_the_value_at_the_last_token_that_is_not_padding(reward: Any) -> None:
    expected = torch.stack([alone(reward, row)[-1] for row in ROWS])
    assert_close(sequence_scores(reward, *pad_left(ROWS, 0, CPU)), expected, rtol=0, atol=1e-5)
    assert_close(sequence_scores(reward, *pad_right(ROWS, 0, CPU)), expected, rtol=0, atol=1e-5)


def test_the_score_is_what_the_trainer_of_trl_trains(reward: Any) -> None:
    ids, mask = pad_right(ROWS, 0, CPU)
    logits = reward(input_ids=ids, attention_mask=mask).logits.squeeze(-1)
    assert_close(sequence_scores(reward, ids, mask), logits, rtol=0, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_scores_come_back_in_the_rows_order_whatever_the_batch(reward: Any, batch_size: int) -> None:
    expected = [alone(reward, row)[-1].item() for row in ROWS]
    assert score_rows(reward, ROWS, batch_size) == pytest.approx(expected, abs=1e-5)


def test_a_new_head_scores_everything_zero(tmp_path: Path) -> None:
    model = trainable_scalar_model(tiny_artifact(tmp_path / "sft"), MACHINE, "full", LORA)
    assert score_rows(model, ROWS, 3) == [0.0, 0.0, 0.0]
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_under_adapters_the_head_is_trained_and_saved_whole(tmp_path: Path) -> None:
    sft = tiny_artifact(tmp_path / "sft")
    model = trainable_scalar_model(sft, MACHINE, "lora", LORA)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    whole = [name for name in trained if "lora_" not in name]
    assert whole == ["base_model.model.score.modules_to_save.default.weight"]
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1
    folder = tmp_path / "reward"
    folder.mkdir()
    save_scalar_model(model, load_tokenizer(sft), folder, sft)
    loaded = load_scalar_model(folder, MACHINE)
    assert score_rows(loaded, ROWS, 3) == pytest.approx(score_rows(model, ROWS, 3), abs=1e-5)
    assert score_rows(loaded, ROWS, 3) != [0.0, 0.0, 0.0]


def test_the_head_keeps_32_bits_over_a_16_bit_trunk(tmp_path: Path) -> None:
    sft = tiny_artifact(tmp_path / "sft")
    reward = tiny_reward_artifact(tmp_path / "reward", sft)
    half: Any = load_scalar_model(reward, MachineConfig(precision="bf16", threads=1))
    assert (half.dtype, half.score.weight.dtype) == (torch.bfloat16, torch.float32)
    full = score_rows(load_scalar_model(reward, MACHINE), ROWS, 3)
    assert score_rows(half, ROWS, 3) == pytest.approx(full, abs=0.1)


@pytest.mark.parametrize("shard", ["5GB", "20KB"])
def test_the_stored_head_is_not_rounded_by_a_16_bit_trunk(shard: str, tmp_path: Path) -> None:
    reward = tiny_reward_artifact(tmp_path / "reward", tiny_artifact(tmp_path / "sft"))
    whole: Any = load_scalar_model(reward, MACHINE)
    (reward / "model.safetensors").unlink()
    whole.save_pretrained(reward, max_shard_size=shard)
    assert (len(list(reward.glob("*.safetensors"))) > 1) == (shard == "20KB")
    half: Any = load_scalar_model(reward, MachineConfig(precision="bf16", threads=1))
    assert not whole.score.weight.equal(whole.score.weight.bfloat16().float())
    assert half.score.weight.equal(whole.score.weight)


def scorers(folder: Path) -> dict[str, Any]:
    """Scalar models as they are used and as they learn, whole and under adapters."""
    sft = tiny_artifact(folder / "sft")
    reward = tiny_reward_artifact(folder / "reward", sft)
    bf16 = MachineConfig(precision="bf16", threads=1)
    return {
        "reward model": load_scalar_model(reward, bf16),
        "value model": scalar_model_to_go_on(reward, bf16),
        "value model under adapters": trainable_value_model(reward, bf16, "lora", LORA),
        "new reward model": randomized(trainable_scalar_model(sft, bf16, "full", LORA)),
        "new reward model under adapters": randomized(trainable_scalar_model(sft, bf16, "lora", LORA)),
    }


def randomized(model: Any) -> Any:
    for name, parameter in model.named_parameters():
        if ".score." in f".{name}":
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    return model


def test_the_head_computes_in_32_bits_under_autocast(tmp_path: Path) -> None:
    ids, mask = pad_right(ROWS, 0, CPU)
    for name, model in scorers(tmp_path).items():
        heads = [module for key, module in model.named_modules() if isinstance(module, ScalarHead)]
        seen: list[tuple[torch.Tensor, torch.Tensor]] = []
        for head in heads:
            head.register_forward_hook(lambda _, given, made, seen=seen: seen.append((given[0], made)))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            ours = token_values(model, ids, mask)
            trl = model(input_ids=ids, attention_mask=mask).logits  # as TRL's trainer calls it
        weight = next(module.weight for module in heads if module.weight.requires_grad or len(heads) == 1)
        for hidden, made in seen:
            assert made.dtype == torch.float32, name
            assert_close(made, hidden.float() @ weight.float().T, rtol=1e-6, atol=1e-6, msg=name)
        assert ours.dtype == trl.dtype == torch.float32, name
        assert not ours.equal(ours.bfloat16().float()), name  # finer than 16 bits tell


def test_the_heads_gradient_is_in_32_bits_under_autocast(tmp_path: Path) -> None:
    ids, mask = pad_right(ROWS, 0, CPU)
    for name, model in scorers(tmp_path).items():
        if name == "reward model":  # frozen
            continue
        (head,) = (m for m in model.modules() if isinstance(m, ScalarHead) and m.weight.requires_grad)
        seen: list[torch.Tensor] = []
        head.register_forward_hook(lambda _, given, __, seen=seen: seen.append(given[0].detach()))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            values = token_values(model, ids, mask)
        slopes = torch.linspace(0.9, 1.1, values.numel()).view_as(values)
        torch.autograd.backward(values, slopes)
        gradient: Any = head.weight.grad
        assert_close(gradient[0], (slopes.unsqueeze(-1) * seen[0].float()).sum((0, 1)), rtol=1e-5, atol=1e-5)
        trunk = [p.grad for key, p in model.named_parameters() if p.requires_grad and "score" not in key]
        assert all(grad is not None and grad.isfinite().all() for grad in trunk), name


def test_a_policy_is_not_taken_for_a_reward_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"sft holds no scalar model \(LlamaForCausalLM\)"):
        load_scalar_model(tiny_artifact(tmp_path / "sft"), MACHINE)
