"""What the ranks of a training loop of our own tell each other. In one process nothing is asked and nothing changes."""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn

from stemma.sampling.rollouts import Rollouts
from stemma.stage.rank import rank, ranks


def own_rows(count: int) -> Tensor:
    """The indices of this rank's rows among `count`; the ranks' shares differ by one row at most."""
    return torch.arange(count)[count * rank() // ranks() : count * (rank() + 1) // ranks()]


def whole_rollouts(own: Rollouts, pad_token_id: int) -> Rollouts:
    """The rollouts of all ranks, in the ranks' order, as wide as the longest response of any."""
    if ranks() == 1:
        return own
    parts: list[list[Tensor]] = [[]] * ranks()
    dist.all_gather_object(parts, [column.cpu() for column in own])
    device, all_parts = own.sequences.device, [Rollouts(*part) for part in parts]
    width = max(part.mask.shape[1] for part in all_parts)
    padded = [_padded(part, width - part.mask.shape[1], pad_token_id) for part in all_parts]
    return Rollouts(*(torch.cat(column).to(device) for column in zip(*padded, strict=True)))


def _padded(part: Rollouts, more: int, pad_token_id: int) -> Rollouts:
    wider = [nn.functional.pad(column, (0, more)) if column.dim() == 2 else column for column in part]
    sequences = nn.functional.pad(part.sequences, (0, more), value=pad_token_id)
    return Rollouts(*wider)._replace(sequences=sequences)


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every rank the sum of all ranks' gradients."""
    if ranks() == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        dist.all_reduce(parameter.grad)


def summed(numbers: dict[str, float]) -> dict[str, float]:
    """The sum over all ranks of each number."""
    if ranks() == 1:
        return numbers
    parts: list[dict[str, float]] = [{}] * ranks()
    dist.all_gather_object(parts, numbers)
    return {name: sum(part[name] for part in parts) for name in numbers}


def as_first_says(decision: bool) -> bool:
    """The first rank's decision, on every rank."""
    if ranks() == 1:
        return decision
    told = [decision]
    dist.broadcast_object_list(told, src=0)
    return told[0]
