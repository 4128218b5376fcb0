"""What the ranks of a stage tell each other. In one process nothing is asked and nothing changes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

from stemma.stage.rank import rank, ranks

T = TypeVar("T")


def own_rows(count: int) -> range:
    """The indices of this rank's rows among `count`; the ranks' shares differ by one row at most."""
    return range(count * rank() // ranks(), count * (rank() + 1) // ranks())


def from_all(own: T) -> list[T]:
    """What every rank has, in the ranks' order."""
    if ranks() == 1:
        return [own]
    parts = [own] * ranks()
    dist.all_gather_object(parts, own)
    return parts


def all_rows(own: Sequence[T]) -> list[T]:
    """The rows of all ranks, where each has made its own."""
    return [row for part in from_all(own) for row in part]


def summed(numbers: Mapping[str, float]) -> dict[str, float]:
    """The sum over all ranks of each number."""
    parts = from_all(numbers)
    return {name: sum(part[name] for part in parts) for name in numbers}


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every rank the sum of all ranks' gradients."""
    if ranks() == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        dist.all_reduce(parameter.grad)


def as_first_says(decision: bool) -> bool:
    """The first rank's decision, on every rank."""
    return from_all(decision)[0]
