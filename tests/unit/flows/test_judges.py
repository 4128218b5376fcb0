from pathlib import Path
from typing import Any

import pytest

from flows.judges import check_judges, with_judges
from flows.settings import RlaifSettings, RlhfSettings
from stemma.errors import SettingsError
from stemma.judging.ai_settings import EndpointConfig, LocalConfig, PanelConfig
from stemma.judging.weights import weights_sha256
from tests.tiny import tiny_artifact

ENDPOINT = {"kind": "endpoint", "name": "far", "base_url": "http://127.0.0.1:1/v1", "model": "m"}


def settings(source: str, *judges: dict[str, Any]) -> RlhfSettings:
    return RlhfSettings.model_validate({"label": {"source": source}, "ai_label": {"judges": judges}})


def test_a_run_takes_a_judge_by_its_place_and_the_hash_of_its_weights(tmp_path: Path) -> None:
    folder = tiny_artifact(tmp_path / "models" / "judge")
    local = {"kind": "local", "name": "near", "model": "models/judge"}
    panel = {"kind": "panel", "name": "both", "members": [ENDPOINT, {**local, "name": "inner"}]}
    far, near, both = with_judges(tmp_path, settings("ai", ENDPOINT, local, panel)).ai_label.judges
    assert far == EndpointConfig.model_validate(ENDPOINT)
    assert isinstance(near, LocalConfig)
    assert (near.model, near.weights_sha256) == (str(folder), weights_sha256(folder))
    assert isinstance(both, PanelConfig)
    assert isinstance(both.members[1], LocalConfig)
    assert both.members[1].weights_sha256 == weights_sha256(folder)


def test_a_judge_of_the_hub_is_known_by_its_commit(tmp_path: Path) -> None:
    hub = {"kind": "local", "name": "hub", "model": "owner/name", "revision": "0" * 40}
    (judge,) = with_judges(tmp_path, settings("mixed", hub)).ai_label.judges
    assert judge == LocalConfig.model_validate(hub)


@pytest.mark.parametrize("source", ["simulated", "recorded", "human"])
def test_no_judge_is_asked_where_labels_come_from_elsewhere(tmp_path: Path, source: str) -> None:
    assert with_judges(tmp_path, settings(source, ENDPOINT)).ai_label.judges == ()


@pytest.mark.parametrize("source", ["ai", "mixed"])
def test_ai_labels_need_a_judge(source: str) -> None:
    with pytest.raises(SettingsError, match=rf"label\.source is {source}, and ai_label\.judges names no judge"):
        check_judges(settings(source))
    with pytest.raises(SettingsError, match=r"label\.source is ai"):
        check_judges(RlaifSettings())


def test_other_weights_than_the_settings_say_stop_the_run_before_it_begins(tmp_path: Path) -> None:
    tiny_artifact(tmp_path / "judge")
    local = {"kind": "local", "name": "near", "model": "judge", "weights_sha256": "0" * 64}
    with pytest.raises(SettingsError, match=r"judge near: .* holds other weights"):
        with_judges(tmp_path, settings("ai", local))
