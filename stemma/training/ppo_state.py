"""What a killed PPO run needs to go on: the weights that learn, and their optimizer's moments.

Nothing else is kept, because everything else (prompts, seeds, learning rate) follows from the number of the update.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from stemma.training.checkpoints import load_checkpoint, save_checkpoint
from stemma.training.ppo_learner import Learner


def save(learner: Learner, folder: Path, update: int) -> None:
    """Write a step checkpoint after an update."""
    state = {
        "policy": trained_weights(learner.models.policy),
        "value_model": trained_weights(learner.models.value_model),
        "optimizer": learner.optimizer.state_dict(),
    }
    save_checkpoint(folder, update, state)


def restore(learner: Learner, folder: Path) -> int:
    """Go back to the newest step checkpoint; return its update, 0 where there is none."""
    checkpoint = load_checkpoint(folder)
    if checkpoint is None:
        return 0
    copy_weights(learner.models.policy, checkpoint.state["policy"])
    copy_weights(learner.models.value_model, checkpoint.state["value_model"])
    learner.optimizer.load_state_dict(checkpoint.state["optimizer"])
    return checkpoint.step


def trained_weights(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that learn, by name; weights that two layers share are there once."""
    return {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}


@torch.no_grad()
def copy_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Overwrite the parameters that learn."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.copy_(weights[name])
