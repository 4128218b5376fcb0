"""What a round of retraining is told besides the settings of its stages."""

from typing import Literal

from pydantic import Field

from stemma.config import Settings
from stemma.lineage.registry import CHAMPION


class RoundConfig(Settings):
    """The round section: how `retrain` goes on from what is there."""

    method: Literal["rlhf", "dpo"] = "rlhf"
    """How the policy is trained: by a reward model and PPO, or straight from the pairs."""
    alias: str = Field(CHAMPION, pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")
    """The alias whose version the round starts from, and which moves to the new policy where the gates let it."""
    goes_on_from: Literal["latest", "champion"] = "latest"
    """Whose labels and reward model the round goes on from: the newest round's, which may have been refused, or those
    of the run that made the champion."""
    warm_start: bool = True
    """Train the earlier reward model further, where there is one; otherwise it begins from the policy."""
