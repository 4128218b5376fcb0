"""What a stage needs of the machine: slots to train in, and memory. No byte of an artifact depends on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from stemma.config import Settings, parse_settings
from stemma.errors import SettingsError
from stemma.stage.ranks import TRAIN_IN_RANKS

TRAINS = TRAIN_IN_RANKS | {"base"}
"""Stages that train; on a CPU they alone take a slot."""
GIB = 1 << 30


class StageResources(Settings):
    """What one stage needs."""

    gpus: int | None = Field(None, ge=0)
    """GPUs that it takes where machine.device is cuda: 0 where it needs none, or one a process, as empty says too."""
    memory_gib: float = Field(0.0, ge=0)
    """GiB of the machine's memory that it takes; 0 where nobody measured it."""
    gpu_memory_gib: float = Field(0.0, ge=0)
    """GiB of memory that each of its GPUs must have; 0 where nobody measured it."""


class ResourcesConfig(Settings):
    """What each stage that loads a model needs; it waits until the machine has as much to spare."""

    base: StageResources = StageResources()
    """For pre-training."""
    sft: StageResources = StageResources()
    """For fine-tuning on demonstrations."""
    sample: StageResources = StageResources()
    """For answers to be compared."""
    ai_label: StageResources = StageResources()
    """For AI judges; give it no GPU where all of them answer over the network."""
    judge: StageResources = StageResources()
    """For training the judge of evaluations."""
    reward: StageResources = StageResources()
    """For training the reward model."""
    ppo: StageResources = StageResources()
    """For PPO."""
    dpo: StageResources = StageResources()
    """For DPO."""
    eval: StageResources = StageResources()
    """For an evaluation."""


@dataclass(frozen=True)
class Needs:
    """What a stage takes of the machine."""

    device: Literal["cpu", "cuda"] = "cpu"
    slots: int = 0
    memory: int = 0
    """Bytes of main memory."""
    gpu_memory: int = 0
    """Bytes that each of its GPUs must have."""

    @property
    def is_nothing(self) -> bool:
        """Whether it need not ask anybody."""
        return self.slots == 0 and self.memory == 0


def needs_of(section: str, params: Mapping[str, Any]) -> Needs:
    """What the stage of a section of params.yaml takes, by the values of all sections.

    Raises SettingsError where the section `resources` has faults, or gives the stage more GPUs than it would use, or
    fewer.
    """
    if section not in ResourcesConfig.model_fields:
        return Needs()
    asked = parse_settings(ResourcesConfig, params.get("resources") or {}, "params.yaml, section resources,")
    told: StageResources = getattr(asked, section)
    machine = params.get("machine") or {}
    memory, gpu_memory = int(told.memory_gib * GIB), int(told.gpu_memory_gib * GIB)
    if machine.get("device", "cpu") != "cuda":
        return Needs("cpu", 1 if section in TRAINS else 0, memory)
    processes = machine.get("processes", 1) if section in TRAIN_IN_RANKS else 1
    gpus = processes if told.gpus is None else told.gpus
    if gpus not in {0, processes}:
        raise SettingsError(
            f"resources.{section}.gpus is {gpus}, and {section} runs in {processes} process{'es' * (processes > 1)}, "
            f"each on one GPU: leave it empty, or write 0 where the stage needs none"
            + ("; machine.processes says how many train" if section in TRAIN_IN_RANKS else "")
        )
    return Needs("cuda", gpus, memory, gpu_memory if gpus else 0)
