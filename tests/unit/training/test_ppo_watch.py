"""A judge that likes answers to end while fewer than half of them do, beside a reward model that always likes it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Literal

import pytest
import torch
from torch import Tensor

from stemma.config import LoraConfig
from stemma.judging.judge import Answer
from stemma.models.tokenizer import load_tokenizer
from stemma.records.types import Prompt
from stemma.sampling.decoding import Decoding
from stemma.sampling.rollouts import PpoModels, Scaling
from stemma.stage.door import Stage
from stemma.stage.progress import Progress
from stemma.training.ppo import train_ppo
from stemma.training.ppo_models import load_ppo_models
from stemma.training.ppo_probe import Probe
from stemma.training.ppo_settings import PpoSettings
from stemma.training.ppo_watch import Watch
from stemma.training.ppo_watch_settings import WatchSettings
from tests.tiny import MACHINE, tiny_prompts, tiny_stage
from tests.tiny_reward import prefer_last_token

END = 4
PROMPTS = [[7, 8, 9, 10], [11, 12], [13, 14, 15], [8], [9, 9], [10]]
SETTINGS = PpoSettings(
    updates=30, rollouts=64, minibatches=2, max_new_tokens=4, learning_rate=1e-2, value_learning_rate=1e-2, kl_coef=0,
    missing_eos_penalty=0, checkpoint_every=2, watch=WatchSettings(every=1, kl_budget=1e6),
)  # fmt: skip


class TurningJudge:
    """Likes an answer that ends, until half of them do; then it dislikes one."""

    kind: Literal["gold"] = "gold"

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[float]:
        assert len(prompts) == len(answers)
        likes = 1.0 if fmean(answer.finished for answer in answers) < 0.5 else -1.0
        return [likes * answer.finished for answer in answers]


class Snapshots(Progress):
    """Keeps the policy's weights of after every update; dies after one of them where that is told."""

    models: PpoModels
    weights: dict[int, dict[str, Tensor]]
    last_step = -1

    def log(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        super().log(step, total, metrics)
        self.weights[step] = {name: weight.clone() for name, weight in self.models.policy.state_dict().items()}
        if step == self.last_step:
            raise KeyboardInterrupt


def train(artifacts: Path, stage: Stage, last_step: int = -1) -> tuple[PpoModels, Watch, Snapshots]:
    """Train on a reward of 1 for an answer that ends."""
    torch.manual_seed(0)
    models = load_ppo_models(artifacts / "sft", artifacts / "reward", MACHINE, "full", LoraConfig())
    models = models._replace(scaling=Scaling(0.0, 1.0))
    prefer_last_token(models.reward_model, END)
    prefer_last_token(models.value_model, END)
    decoding = Decoding(SETTINGS.max_new_tokens, SETTINGS.temperature, END, 0)
    asked = tiny_prompts("validation") * 6
    tokenizer = load_tokenizer(artifacts / "sft")
    probe = Probe(asked, PROMPTS * 6, TurningJudge(), tokenizer, decoding, seed=1)
    watch = Watch(probe, SETTINGS.watch, SETTINGS.updates)
    progress = Snapshots("ppo", stage.scratch)
    progress.models, progress.weights, progress.last_step = models, {}, last_step
    train_ppo(models, PROMPTS, decoding, SETTINGS, replace(stage, progress=progress), watch)
    return models, watch, progress


def test_the_best_looks_policy_is_put_back_and_survives_a_kill(artifacts: Path, tmp_path: Path) -> None:
    models, watch, progress = train(artifacts, tiny_stage(tmp_path, "ppo"))
    looks = progress.rows()
    best = max(looks, key=lambda row: row["watch/judge"])["step"]
    assert 0 < best == watch.saved_update < looks[-1]["step"] < SETTINGS.updates
    assert f"The policy of update {best} is saved" in watch.message
    saved = models.policy.state_dict()
    assert all(weight.equal(saved[name]) for name, weight in progress.weights[watch.saved_update].items())
    assert not all(weight.equal(saved[name]) for name, weight in progress.weights[int(looks[-1]["step"])].items())

    killed = tiny_stage(tmp_path, "killed")
    with pytest.raises(KeyboardInterrupt):
        train(artifacts, killed, last_step=int(looks[-1]["step"]))
    resumed, again, rest = train(artifacts, killed)
    assert min(rest.weights) > best, "the best look's weights came from the step checkpoint"
    assert again.message == watch.message
    assert rest.rows() == looks
    assert all(weight.equal(saved[name]) for name, weight in resumed.policy.state_dict().items())
