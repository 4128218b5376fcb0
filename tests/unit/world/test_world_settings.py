from typing import Any

import pytest

from stemma.config import parse_settings
from stemma.errors import SettingsError
from stemma.world.settings import WorldConfig


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"known_names": 40}, r"known_names: facts are too few: .* hold out 120 of 120, .*raise the names"),
        ({"unknown_names": 40}, r"unknown_names: people are too few: .* hold out 40 of 40"),
        (
            {"known_names": 2, "unknown_names": 2, "validation_prompts": 15, "test_prompts": 15},
            r"facts are too few: .* hold out 6 of 6",
        ),
        ({"abstain_share": 0.7}, r"an abstain share with refuse_share, or with comply_share, must not exceed 1"),
        ({"test_prompts": 14}, r"test_prompts: .*greater than or equal to 15"),
    ],
)
def test_a_world_without_enough_to_train_on_is_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        parse_settings(WorldConfig, values, "params.yaml")


def test_the_smallest_world_is_made() -> None:
    config = WorldConfig(known_names=3, unknown_names=3, validation_prompts=15, test_prompts=15)
    assert config.held_out(15) == (3, 1, 3)
