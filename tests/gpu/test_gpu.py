"""With a CUDA device: a run takes it unasked, and the stages train on it in both precisions."""

from pathlib import Path

import pytest
import torch

from flows.hardware import resolve
from flows.settings import FlowMachineConfig
from stemma.config import LoraConfig, MachineConfig, Tuning
from stemma.models.policy import load_policy, trainable_policy
from tests.tiny import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.gpu


def test_a_run_takes_the_gpu_unasked() -> None:
    assert torch.cuda.is_available()
    assert resolve(FlowMachineConfig()).device == "cuda"
    assert resolve(FlowMachineConfig(device="cpu")).device == "cpu"


@pytest.mark.parametrize("tuning", ["full", "lora"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_policy_trains_on_the_gpu(tmp_path: Path, tuning: Tuning, precision: str) -> None:
    from stemma.models.policy import save_policy

    tokenizer = tiny_tokenizer()
    save_policy(tiny_model(tokenizer), tokenizer, tmp_path)
    machine = MachineConfig.model_validate({"device": "cuda", "precision": precision})
    policy = trainable_policy(tmp_path, machine, tuning, LoraConfig(r=4, alpha=8))
    ids = torch.tensor([tokenizer("where does bok live ?", add_special_tokens=False)["input_ids"]], device="cuda")
    with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
        loss = policy(input_ids=ids, labels=ids).loss
    torch.autograd.backward(loss)
    moved = [p for p in policy.parameters() if p.requires_grad and p.grad is not None and p.grad.abs().sum() > 0]
    assert moved
    assert next(load_policy(tmp_path, machine).parameters()).device.type == "cuda"
