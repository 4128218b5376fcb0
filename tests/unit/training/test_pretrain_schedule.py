import pytest

from stemma.config import parse_settings
from stemma.errors import SettingsError
from stemma.training.pretrain_settings import PretrainSettings
from stemma.training.schedule import Schedule

SETTINGS = PretrainSettings(learning_rate=1.0, warmup_steps=4, decay_steps=5, max_steps=20)


def test_without_questions_the_rate_rises_stays_and_falls_before_the_last_step() -> None:
    schedule = Schedule(SETTINGS, ends_by_itself=True)
    rates = [schedule.learning_rate(step) for step in range(1, schedule.last_step + 1)]
    assert rates == pytest.approx([0.25, 0.5, 0.75] + [1.0] * 13 + [0.8, 0.6, 0.4, 0.2])
    assert schedule.last_step == 20


def test_with_questions_the_rate_stays_until_the_fall_is_decided() -> None:
    schedule = Schedule(SETTINGS, ends_by_itself=False)
    assert (schedule.last_step, schedule.latest_fall) == (20, 15)
    schedule.falls_after = 8
    assert schedule.last_step == 13
    assert [schedule.learning_rate(step) for step in (8, 9, 10, 13)] == pytest.approx([1.0, 1.0, 0.8, 0.2])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 30, "heads": 4}, "must be a multiple of twice the heads"),
        ({"decay_steps": 30, "max_steps": 20}, r"decay_steps \(30\) must be less than max_steps \(20\)"),
        ({"probe_every": 15}, "multiple of 10"),
    ],
)
def test_impossible_settings_are_refused(values: dict[str, int], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_settings(PretrainSettings, values, "params.yaml, section base,")
