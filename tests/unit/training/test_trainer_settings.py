import pytest

from stemma.config import parse_settings
from stemma.errors import SettingsError
from stemma.training.settings import TrainerSettings


def test_a_batch_must_split_evenly() -> None:
    with pytest.raises(SettingsError, match=r"accumulation \(3\) must divide batch_size \(16\)"):
        parse_settings(TrainerSettings, {"accumulation": 3}, "params.yaml, section sft,")


def test_checkpoints_fall_on_logged_steps() -> None:
    with pytest.raises(SettingsError, match="checkpoint_every: should be a multiple of 10, got 25"):
        parse_settings(TrainerSettings, {"checkpoint_every": 25}, "params.yaml, section sft,")
