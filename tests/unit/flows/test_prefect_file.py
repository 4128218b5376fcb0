"""Faults of prefect.yaml are told all at once, before anything is deployed."""

from typing import Any

import pytest

from flows.service.deployments import load_flows
from flows.service.prefect_file import PrefectFile
from stemma.config import parse_settings
from stemma.errors import SettingsError


def entry(name: str, entrypoint: str, **schedule: str) -> dict[str, Any]:
    schedules = [{"slug": "own", **schedule}] if schedule else []
    pool = {"name": "cpu"}
    return {"name": name, "entrypoint": entrypoint, "description": "x", "work_pool": pool, "schedules": schedules}


def parsed(*entries: dict[str, Any]) -> PrefectFile:
    return parse_settings(PrefectFile, {"name": "stemma", "pull": [], "deployments": entries}, "prefect.yaml")


def test_wrong_times_and_paths() -> None:
    with pytest.raises(SettingsError) as told:
        parsed(
            entry("one", "flows.dpo.dpo", cron="0 3 * * x"),
            entry("two", "flows.dpo.dpo", cron="0 3 * * 1", timezone="Mars/Olympus"),
            entry("three", "flows/dpo.py:dpo", cron="@daily"),
        )
    words = str(told.value)
    assert "has 3 faults" in words
    assert 'deployments.0.schedules.0.cron: Invalid cron string: "0 3 * * x"' in words
    assert 'deployments.1.schedules.0.timezone: Invalid timezone: "Mars/Olympus"' in words
    assert "deployments.2.entrypoint: " in words


def test_flows_that_are_not_there() -> None:
    file = parsed(
        entry("one", "flows.dpo.dpo"),
        entry("two", "flows.nosuch.flow"),
        entry("three", "flows.dpo.dop"),
        entry("four", "flows.dpo.STAGES"),
    )
    with pytest.raises(SettingsError) as told:
        load_flows(file)
    words = str(told.value)
    assert "prefect.yaml names 3 flows that are not there" in words
    for name, entrypoint in (("two", "flows.nosuch.flow"), ("three", "flows.dpo.dop"), ("four", "flows.dpo.STAGES")):
        assert f"  {name}: entrypoint {entrypoint}: " in words
