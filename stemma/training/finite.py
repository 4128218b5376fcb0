"""Weights that are no longer finite: no step checkpoint and no artifact is made of them."""

from torch import nn

from stemma.stage.progress import Progress


def require_finite(model: nn.Module, progress: Progress, step: int, total: int, rate: str = "learning_rate") -> None:
    """Check the weights that learn, after a step (counted from 1) out of a total.

    A step can overflow them though its loss and its gradient are finite. Raises TrainingError naming the first that is
    not finite, what is kept, and the setting `rate` to lower.
    """
    for name, weight in model.named_parameters():
        held = getattr(weight, "ds_tensor", weight)  # under ZeRO-3 a process holds its part of it there
        if weight.requires_grad and not held.isfinite().all():
            raise progress.diverged(f"{name} is not finite", step, total, rate)
