"""The device is settled once, and an explicit choice stands."""

import pytest

from flows.hardware import resolve
from flows.settings import FlowMachineConfig


def test_an_explicit_choice_stands() -> None:
    assert resolve(FlowMachineConfig(device="cuda", precision="bf16")).device == "cuda"
    assert resolve(FlowMachineConfig(device="cpu", threads=3)).threads == 3


def test_without_a_driver_it_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert resolve(FlowMachineConfig()).device == "cpu"
