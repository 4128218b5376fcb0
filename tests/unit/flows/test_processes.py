"""What the stages of a flow cannot share is told before any of them begins."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from flows.hardware import gpus_of, machine_kind
from flows.processes import check_shares
from flows.settings import FlowMachineConfig, RetrainSettings
from stemma.errors import SettingsError
from stemma.stage.definition import read_definitions
from stemma.stage.resources import ResourcesConfig

STAGES = read_definitions(Path(__file__).parents[3])
NOTHING: Mapping[str, int] = {}


def settings(processes: int, sharding: str = "none", gpus: Mapping[str, int] = NOTHING) -> RetrainSettings:
    machine = FlowMachineConfig.model_validate({"device": "cuda", "processes": processes, "sharding": sharding})
    resources = {name: {"gpus": number} for name, number in gpus.items()}
    return RetrainSettings(machine=machine, resources=ResourcesConfig.model_validate(resources))


def test_the_defaults_are_shared_by_a_power_of_two() -> None:
    for policy in ("ppo", "dpo"):
        check_shares(settings(8), policy)


def test_a_batch_that_does_not_divide_is_told_at_the_start() -> None:
    with pytest.raises(SettingsError, match=r"sft\.batch_size \(16\) must be a multiple of .*machine\.processes \(3\)"):
        check_shares(settings(3), "dpo")


@pytest.mark.parametrize(
    ("sharding", "reason"), [("zero2", r".*and not the gradients\. "), ("zero3", ".*every layer's weights.*")]
)
def test_ppo_shards_the_optimizers_state_alone_and_dpo_more(sharding: str, reason: str) -> None:
    for policy in ("ppo", "dpo"):
        check_shares(settings(2, "zero1"), policy)
    check_shares(settings(2, sharding), "dpo")
    with pytest.raises(SettingsError, match=rf"ppo takes no machine\.sharding={sharding}: {reason}Set it to zero1"):
        check_shares(settings(2, sharding), "ppo")


def test_a_stage_takes_as_many_gpus_as_it_trains_in_processes() -> None:
    took = {name: gpus_of(settings(4), STAGES[name]) for name in ("data", "base", "sft", "sample", "reward", "ppo")}
    assert took == {"data": 0, "base": 1, "sft": 4, "sample": 1, "reward": 4, "ppo": 4}
    assert machine_kind(settings(4)) == "cuda x4"


@pytest.mark.parametrize(
    ("processes", "section", "gpus", "takes"),
    [(1, "ppo", 2, 1), (2, "dpo", 1, 2), (4, "base", 4, 1), (1, "ai_label", 2, 1)],
)
def test_gpus_that_a_stage_would_not_use_or_has_not_enough_of_are_told_at_the_start(
    processes: int, section: str, gpus: int, takes: int
) -> None:
    told = rf"resources\.{section}\.gpus is {gpus}, and {section} runs in {takes} process(es)?, each on one GPU"
    with pytest.raises(SettingsError, match=told):
        check_shares(settings(processes, gpus={section: gpus}), "ppo")
    check_shares(settings(processes, gpus={section: takes}), "ppo")
    check_shares(settings(processes, gpus={section: 0}), "ppo")
