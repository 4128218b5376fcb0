"""Small trainings, done in one process or, where ranks run `-m tests.rank_works ROOT SHARDING`, in several."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch.distributed

from stemma.config import LoraConfig, MachineConfig
from stemma.errors import BudgetError
from stemma.judging.kinds import write_kind
from stemma.records.json_file import write_json
from stemma.records.jsonl import write_rows
from stemma.stage.deadline import Deadline
from stemma.stage.door import Stage
from stemma.stage.progress import Progress, UnheardProgress
from stemma.stage.rank import is_first, join, ranks, wait_for_all
from stemma.training.ppo_watch_settings import WatchSettings
from tasks.dpo import DpoConfig, train_dpo
from tasks.ppo import PpoConfig, train_ppo
from tasks.reward import RewardConfig, train_reward
from tasks.sft import SftConfig, train_sft
from tests.tiny import tiny_artifact, tiny_comparisons, tiny_demonstrations, tiny_prompts
from tests.tiny_reward import tiny_reward_artifact

SFT = SftConfig(batch_size=4, epochs=9, learning_rate=3e-3, checkpoint_every=20)
SFT_SHORT = SFT.model_copy(update={"epochs": 4})
SFT_LORA = SFT_SHORT.model_copy(update={"tuning": "lora", "lora": LoraConfig(r=2, alpha=4)})
REWARD = RewardConfig(batch_size=4, epochs=4, must_beat_chance=False)
DPO = DpoConfig(batch_size=4, epochs=4, sft_weight=0.0)
DPO_LORA = DPO.model_copy(update={"tuning": "lora", "lora": LoraConfig(r=2, alpha=4)})
PPO = PpoConfig(
    updates=4, rollouts=9, minibatches=2, max_new_tokens=6, learning_rate=1e-3, value_learning_rate=1e-3,
    micro_batch_size=3, temperature=0.9, value_warmup_updates=1, checkpoint_every=2, watch=WatchSettings(every=2),
)  # fmt: skip
PPO_STOPPED = PPO.model_copy(
    update={"learning_rate": 1e-2, "value_warmup_updates": 0, "watch": WatchSettings(every=1, kl_budget=1e-4)}
)
PPO_LORA = PPO.model_copy(update={"tuning": "lora", "lora": LoraConfig(r=2, alpha=4)})
WORKS: dict[str, Callable[[Stage], object]] = {
    "sft": lambda stage: train_sft(SFT, stage),
    "sft_short": lambda stage: train_sft(SFT_SHORT, stage),
    "sft_lora": lambda stage: train_sft(SFT_LORA, stage),
    "reward": lambda stage: train_reward(REWARD, stage),
    "dpo": lambda stage: train_dpo(DPO, stage),
    "dpo_lora": lambda stage: train_dpo(DPO_LORA, stage),
    "ppo": lambda stage: train_ppo(PPO, stage),
    "ppo_lora": lambda stage: train_ppo(PPO_LORA, stage),
    "ppo_stopped": lambda stage: train_ppo(PPO_STOPPED, stage),
}
SPENT_AT = {"sft_short": 10, "ppo": 1}
"""Works that are also stopped because a budget is spent, after a step whose checkpoint is not in turn; …"""
STOPPED_AT = {"sft_short": 20, "ppo": 3}
"""… then broken off after another step, and done again."""
AGAIN = "_again"


class BrokenOffError(Exception):
    """Stands for a kill."""


class BreakingProgress(Progress):
    last_step = 0

    def log(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        super().log(step, total, metrics)
        if step == self.last_step:
            raise BrokenOffError


class UnheardBreakingProgress(UnheardProgress, BreakingProgress):
    pass


def works_of(sharding: str) -> list[str]:
    """The works that are tried with a sharding: those that it does differently."""
    tried = {
        "none": WORKS,
        "zero1": ("sft_short", "ppo"),
        "zero2": ("sft_short", "dpo"),
        "zero3": ("sft_short", "sft_lora", "reward"),
    }
    return list(tried[sharding])


def make_inputs(root: Path) -> None:
    """The artifacts that the works start from."""
    artifacts = root / "artifacts"
    tiny_artifact(artifacts / "base")
    tiny_reward_artifact(artifacts / "reward", tiny_artifact(artifacts / "sft"))
    for name in ("data", "label", "judge"):
        (artifacts / name).mkdir()
    write_kind(artifacts / "judge", "gold")
    write_json(artifacts / "data/report.json", {"gold": False})
    write_rows(artifacts / "data/demonstrations.jsonl", tiny_demonstrations() * 3)
    write_rows(artifacts / "data/prompts.jsonl", tiny_prompts("train") + tiny_prompts("validation"))
    write_rows(artifacts / "label/comparisons.jsonl", tiny_comparisons("train") + tiny_comparisons("validation")[:8])


def do(root: Path, machine: MachineConfig, name: str, again: bool = False) -> None:
    """Do a work, or break it off and do it again; the output is in `output(root, …)`."""
    kind = f"{name}{AGAIN}" if again else name
    if again:
        stop_for_budget(root, machine, name, kind)
        breaking = (BreakingProgress if is_first() else UnheardBreakingProgress)(name, folder(root, machine, kind))
        breaking.last_step = STOPPED_AT[name]
        try:
            WORKS[name](stage_of(root, machine, name, kind, breaking))
        except BrokenOffError:
            wait_for_all()
    progress = (Progress if is_first() else UnheardProgress)(name, folder(root, machine, kind))
    stage = stage_of(root, machine, name, kind, progress)
    WORKS[name](stage)
    progress.write_history(stage.output)


def stop_for_budget(root: Path, machine: MachineConfig, name: str, kind: str) -> None:
    Deadline(keep_and_stop=0.0).tell()
    spent = (Progress if is_first() else UnheardProgress)(name, folder(root, machine, kind))
    Deadline().tell()
    try:
        WORKS[name](stage_of(root, machine, name, kind, spent))
    except BudgetError as error:
        assert f"step {SPENT_AT[name]} is kept" in str(error)  # noqa: PT017 -- ranks are no tests
        wait_for_all()


def folder(root: Path, machine: MachineConfig, kind: str) -> Path:
    made = root / f"{machine.processes}-{machine.sharding}" / kind
    made.mkdir(parents=True, exist_ok=True)
    return made


def output(root: Path, machine: MachineConfig, kind: str) -> Path:
    return folder(root, machine, kind) / "output"


def stage_of(root: Path, machine: MachineConfig, name: str, kind: str, progress: Progress) -> Stage:
    made = output(root, machine, kind)
    made.mkdir(exist_ok=True)
    inputs = {dep: root / "artifacts" / dep for dep in ("data", "base", "sft", "label", "judge", "reward")}
    return Stage(name.partition("_")[0], 0, machine, inputs, made, folder(root, machine, kind), progress)


def main(root: Path, sharding: str) -> None:
    machine = MachineConfig.model_validate({"processes": ranks(), "sharding": sharding})
    join(machine)
    stay: Any = lambda: None  # noqa: E731
    torch.distributed.destroy_process_group = stay  # a stage's ranks meet only once, and here is more than one work
    names = works_of(sharding)
    for name, again in [*((name, False) for name in names), *((name, True) for name in STOPPED_AT if name in names)]:
        try:
            do(root, machine, name, again)
        except SystemExit:  # every rank but the first, when the work is done
            continue


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
