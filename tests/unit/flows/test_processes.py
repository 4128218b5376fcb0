"""What the stages of a flow cannot share is told before any of them begins."""

from pathlib import Path

import pytest

from flows.hardware import gpus_of, machine_kind
from flows.processes import check_shares
from flows.settings import FlowMachineConfig, RetrainSettings
from stemma.errors import SettingsError
from stemma.stage.definition import read_definitions

STAGES = read_definitions(Path(__file__).parents[3])


def settings(processes: int, sharding: str = "none") -> RetrainSettings:
    machine = FlowMachineConfig.model_validate({"device": "cuda", "processes": processes, "sharding": sharding})
    return RetrainSettings(machine=machine)


def test_the_defaults_are_shared_by_a_power_of_two() -> None:
    for policy in ("ppo", "dpo"):
        check_shares(settings(8), policy)


def test_a_batch_that_does_not_divide_is_told_at_the_start() -> None:
    with pytest.raises(SettingsError, match=r"sft\.batch_size \(16\) must be a multiple of .*machine\.processes \(3\)"):
        check_shares(settings(3), "dpo")


def test_ppo_takes_no_sharded_weights_and_dpo_does() -> None:
    check_shares(settings(2, "zero3"), "dpo")
    with pytest.raises(SettingsError, match=r"ppo takes no machine\.sharding=zero3"):
        check_shares(settings(2, "zero3"), "ppo")


def test_a_stage_takes_as_many_gpus_as_it_trains_in_processes() -> None:
    took = {name: gpus_of(settings(4), STAGES[name]) for name in ("data", "base", "sft", "sample", "reward", "ppo")}
    assert took == {"data": 0, "base": 1, "sft": 4, "sample": 1, "reward": 4, "ppo": 4}
    assert machine_kind(settings(4)) == "cuda x4"
