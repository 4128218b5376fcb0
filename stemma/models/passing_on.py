"""A policy handed on as it is, to be another artifact."""

import shutil
from pathlib import Path

from stemma.config import MachineConfig
from stemma.models.adapters import base_of
from stemma.models.policy import frozen_dtype, load_weights, save_policy
from stemma.models.tokenizer import load_tokenizer
from stemma.stage.manifest import MANIFEST

HISTORY = "history.csv"
"""How a policy was trained; it is of the artifact that was trained."""


def pass_on(policy: Path, output: Path, machine: MachineConfig) -> None:
    """Put a policy's model and tokenizer into a folder: the same bytes, or adapters merged into their base.

    Raises ArtifactError where the folder holds no policy, or adapters whose base is not the one recorded.
    """
    if base_of(policy):
        save_policy(load_weights(policy, frozen_dtype(machine)), load_tokenizer(policy), output)
        return
    left = shutil.ignore_patterns(MANIFEST, HISTORY)
    # Not with their permissions: DVC links files from its cache, where they are read-only.
    shutil.copytree(policy, output, ignore=left, copy_function=shutil.copyfile, dirs_exist_ok=True)
