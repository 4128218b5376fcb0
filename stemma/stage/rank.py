"""A rank: one of the processes that a stage trains in, as it knows itself. A stage in one process is its first rank.

torchrun says which one it is in the environment; STEMMA_RANK_OF, set by the stage's door, tells such a process from one
that merely inherited the variables of somebody else's job.
"""

import os
from datetime import timedelta

from stemma.config import MachineConfig

RANK_VARIABLE = "STEMMA_RANK_OF"
"""Holds the process id of the door that started the rank."""
PATIENCE = timedelta(hours=2)
"""How long a rank waits for the others: longer than any look or save of the first. One that dies ends all at once."""


def is_rank() -> bool:
    """Whether this process is one of those that a stage's door started."""
    return RANK_VARIABLE in os.environ


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ["RANK"]) if is_rank() else 0


def ranks() -> int:
    """How many processes there are."""
    return int(os.environ["WORLD_SIZE"]) if is_rank() else 1


def is_first() -> bool:
    """Whether this process is the one that reports, keeps step checkpoints, and makes the artifact."""
    return rank() == 0


def join(machine: MachineConfig) -> None:
    """Meet the other ranks: over NCCL on GPUs, over gloo on CPUs."""
    import torch.distributed

    if machine.device == "cpu":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all of them are on this machine
    torch.distributed.init_process_group("nccl" if machine.device == "cuda" else "gloo", timeout=PATIENCE)


def wait_for_all() -> None:
    """Return once every rank has come here."""
    if ranks() > 1:
        import torch.distributed

        torch.distributed.barrier()


def first_goes_on_alone() -> None:
    """Dissolve the ranks, because what is to be done together is done: the first returns, the others end here."""
    if ranks() == 1:
        return
    import torch.distributed

    wait_for_all()
    torch.distributed.destroy_process_group()
    if not is_first():
        raise SystemExit(0)
