"""The device is settled once, and an explicit choice stands."""

from pathlib import Path

import pytest

from flows.hardware import resolve, slow_machine
from flows.settings import FlowMachineConfig, load_settings

ROOT = Path(__file__).resolve().parents[3]
HUB = ["base.model=ada/small", f"base.revision={'a' * 40}"]


def test_an_explicit_choice_stands() -> None:
    assert resolve(FlowMachineConfig(device="cuda", precision="bf16")).device == "cuda"
    assert resolve(FlowMachineConfig(device="cpu", threads=3)).threads == 3


def test_without_a_driver_it_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert resolve(FlowMachineConfig()).device == "cpu"


def test_a_profile_for_gpus_takes_a_gpu_where_there_is_one_whatever_params_yaml_says() -> None:
    assert load_settings(ROOT, "hub-lora", HUB).machine.device == "auto"


@pytest.mark.parametrize(
    ("source", "device", "warned"), [("hub", "cpu", True), ("hub", "cuda", False), ("world", "cpu", False)]
)
def test_a_hub_model_on_the_cpu_is_warned_of(source: str, device: str, warned: bool) -> None:
    overrides = [f"machine.device={device}", *(["base.source=hub", *HUB] if source == "hub" else [])]
    words = slow_machine(load_settings(ROOT, None, overrides))
    assert ("ada/small would train on the CPU" in words) == warned
