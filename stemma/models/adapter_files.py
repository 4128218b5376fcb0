"""The files of an artifact of low-rank adapters, and what they say of the base."""

import json
from dataclasses import dataclass

BASE = "base.json"
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True)
class RecordedBase:
    """The model that adapters were trained on, as their artifact names it."""

    folder: str
    """Its place, relative to the artifact's folder."""
    manifest: str
    """The sha256 of its manifest."""


def read_base(content: bytes | str) -> RecordedBase:
    """Read an artifact's `base.json`."""
    recorded = json.loads(content)
    return RecordedBase(recorded["base"], recorded["manifest"])
