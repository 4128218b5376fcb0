"""The artifacts that PPO begins with."""

from pathlib import Path

import pytest

from tests.tiny import tiny_artifact
from tests.tiny_reward import tiny_reward_artifact


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the policy `sft` and the reward model `reward`."""
    root = tmp_path_factory.mktemp("artifacts")
    tiny_reward_artifact(root / "reward", tiny_artifact(root / "sft"))
    return root
