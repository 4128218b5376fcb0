"""What the machine decides, resolved once when a run starts."""

import shutil
import subprocess

from flows.settings import FlowMachineConfig, FlowSettings, stage_values
from stemma.config import MachineConfig
from stemma.stage.definition import StageDefinition
from stemma.stage.resources import needs_of


def resolve(machine: FlowMachineConfig) -> MachineConfig:
    """Settle `auto`: a GPU where one can be used, the CPU elsewhere."""
    device = machine.device
    if device == "auto":
        device = "cuda" if _has_usable_gpu() else "cpu"
    return MachineConfig.model_validate({**machine.model_dump(), "device": device})


def machine_kind(settings: FlowSettings) -> str:
    """What makes times comparable: the device, and how many processes a stage takes."""
    return f"{settings.machine.device} x{settings.machine.processes}"


def slow_machine(settings: FlowSettings) -> str:
    """A warning where a Hub model would train on the CPU; empty elsewhere."""
    if settings.base.source != "hub" or settings.machine.device != "cpu":
        return ""
    return (
        f"warning: {settings.base.model} would train on the CPU, which takes hours to days. machine.device is cpu, or "
        "is auto and no GPU was found here; `--set machine.device=cuda` stops where torch finds none"
    )


def gpus_of(settings: FlowSettings, stage: StageDefinition) -> int:
    """How many GPUs a stage takes."""
    needs = needs_of(stage.section, stage_values(settings))
    return needs.slots if needs.device == "cuda" else 0


def _has_usable_gpu() -> bool:
    """Ask the driver first: importing torch takes seconds, and most machines have no GPU."""
    if shutil.which("nvidia-smi") is None:
        return False
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False).stdout
    if "GPU" not in listed:
        return False
    import torch

    return torch.cuda.is_available()
