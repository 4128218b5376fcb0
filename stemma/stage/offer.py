"""What this machine has for stages: slots to train in, and memory.

A slot is a GPU, or on a CPU a place in which one stage trains. `STEMMA_SLOTS` names the GPUs to use, by nvidia-smi's
numbers or by what CUDA calls them; `STEMMA_CPU_SLOTS` says how many stages may train on the CPU at once.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stemma.errors import SettingsError
from stemma.stage.resources import GIB, Needs

GPUS_VARIABLE = "STEMMA_SLOTS"
CPUS_VARIABLE = "STEMMA_CPU_SLOTS"
VISIBLE_VARIABLE = "CUDA_VISIBLE_DEVICES"
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a container finds how much memory it may use."""


@dataclass(frozen=True)
class Gpu:
    """One GPU, as nvidia-smi lists it."""

    number: str
    name: str
    """What CUDA calls it, the same in every container of the machine."""
    memory: int | None
    """Bytes; None where it is a part of main memory."""


@dataclass(frozen=True)
class Offer:
    """What the machine has."""

    device: str
    slots: tuple[str, ...]
    """The slots of a device: what CUDA calls each GPU, or the numbers of the places on the CPU."""
    memory: int
    """Bytes of main memory."""
    gpu_memory: dict[str, int] = field(default_factory=dict)
    """Bytes of each GPU, where that is known."""

    def fitting(self, needs: Needs) -> tuple[str, ...]:
        """The slots that a stage could take; a GPU of unknown memory is taken to have enough."""
        return tuple(slot for slot in self.slots if self.gpu_memory.get(slot, needs.gpu_memory) >= needs.gpu_memory)

    def check(self, section: str, needs: Needs) -> None:
        """Raise SettingsError where the machine can never give the stage of a section what it needs."""
        if needs.slots > len(self.slots):
            raise SettingsError(
                f"{section} needs {_count(needs.slots, self.device)}, and this machine has {len(self.slots)}: "
                f"{_remedy(self.device)}"
            )
        if needs.slots > len(self.fitting(needs)):
            sizes = ", ".join(f"{size / GIB:.1f}" for size in self.gpu_memory.values())
            raise SettingsError(
                f"{section} needs {_count(needs.slots, self.device)} of {needs.gpu_memory / GIB:g} GiB, and this "
                f"machine's have {sizes} GiB: run it on another, or lower resources.{section}.gpu_memory_gib if it is "
                "more than the stage takes"
            )
        if needs.memory > self.memory:
            raise SettingsError(
                f"{section} needs {needs.memory / GIB:g} GiB of memory, and this machine has {self.memory / GIB:.1f}: "
                f"run it on another, or lower resources.{section}.memory_gib if it is more than the stage takes"
            )


def offer_of_machine(device: str) -> Offer:
    """What this machine has for stages on a device, by its driver and the environment.

    Raises SettingsError where STEMMA_CPU_SLOTS is no number of slots.
    """
    if device == "cpu":
        told = os.environ.get(CPUS_VARIABLE, "1")
        if not told.isdecimal() or int(told) < 1:
            raise SettingsError(f"{CPUS_VARIABLE} says {told!r}; write how many stages may train at once, such as 1")
        return Offer("cpu", tuple(map(str, range(int(told)))), total_memory())
    gpus = list_gpus()
    named = os.environ.get(GPUS_VARIABLE) or os.environ.get(VISIBLE_VARIABLE)
    slots = [gpu.name for gpu in gpus] if named is None else named_slots(named, gpus)
    sizes = {gpu.name: gpu.memory for gpu in gpus if gpu.memory is not None and gpu.name in slots}
    return Offer("cuda", tuple(slots), total_memory(), sizes)


def list_gpus() -> list[Gpu]:
    """The GPUs that nvidia-smi lists; none where there is no driver."""
    if shutil.which("nvidia-smi") is None:
        return []
    asked = ["nvidia-smi", "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False)
    return parse_gpus(listed.stdout) if listed.returncode == 0 else []


def parse_gpus(listed: str) -> list[Gpu]:
    """The GPUs in nvidia-smi's answer: number, name and MiB a line."""
    rows = [[part.strip() for part in line.split(",")] for line in listed.splitlines() if line.count(",") == 2]
    return [Gpu(number, name, int(memory) << 20 if memory.isdecimal() else None) for number, name, memory in rows]


def named_slots(named: str, gpus: Sequence[Gpu]) -> list[str]:
    """The slots of a list such as `0,1`: of a number what CUDA calls that GPU, anything else as it stands.

    A number below 0 is CUDA's way to say that there is none.
    """
    names = {gpu.number: gpu.name for gpu in gpus}
    listed = [one.strip() for one in named.split(",")]
    return list(dict.fromkeys(names.get(one, one) for one in listed if one and not one.startswith("-")))


def total_memory() -> int:
    """Bytes of memory that the processes of this machine, or of this container, may use together."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    limits = (file.read_text(encoding="ascii").strip() for file in MEMORY_LIMITS if file.exists())
    return min([*sizes, *(int(limit) for limit in limits if limit.isdecimal())])


def _count(slots: int, device: str) -> str:
    kind = "GPU" if device == "cuda" else "CPU slot"
    return f"{slots} {kind}" + ("s" if slots > 1 else "")


def _remedy(device: str) -> str:
    if device == "cpu":
        return f"set {CPUS_VARIABLE} to how many stages may train at once"
    return f"run it on another, lower machine.processes, or name its GPUs in {GPUS_VARIABLE}"
