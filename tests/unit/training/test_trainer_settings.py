import pytest

from stemma.config import parse_settings
from stemma.errors import SettingsError
from stemma.training.settings import TrainerSettings, rows_a_forward


def test_a_batch_must_split_evenly() -> None:
    with pytest.raises(SettingsError, match=r"accumulation \(3\) must divide batch_size \(16\)"):
        parse_settings(TrainerSettings, {"accumulation": 3}, "params.yaml, section sft,")


def test_checkpoints_fall_on_logged_steps() -> None:
    with pytest.raises(SettingsError, match="checkpoint_every: should be a multiple of 10, got 25"):
        parse_settings(TrainerSettings, {"checkpoint_every": 25}, "params.yaml, section sft,")


def test_a_batch_is_as_big_whatever_it_is_split_by() -> None:
    settings = TrainerSettings(batch_size=16, accumulation=2)
    assert [rows_a_forward(settings, "sft", processes) for processes in (1, 2, 4)] == [8, 4, 2]


def test_a_batch_that_the_processes_cannot_share_is_told() -> None:
    message = (
        r"reward\.batch_size \(16\) must be a multiple of reward\.accumulation \(2\) times machine\.processes \(3\), "
        "so that every process learns from as many rows; change one of them"
    )
    with pytest.raises(SettingsError, match=message):
        rows_a_forward(TrainerSettings(accumulation=2), "reward", 3)
