from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stemma.config import LoraConfig, Tuning
from stemma.errors import TrainingError
from stemma.sampling.decoding import Decoding
from stemma.sampling.rollouts import PpoModels, Scaling
from stemma.stage.door import Stage
from stemma.stage.progress import Progress
from stemma.training.checkpoints import load_checkpoint
from stemma.training.ppo import train_ppo
from stemma.training.ppo_models import load_ppo_models
from stemma.training.ppo_settings import PpoSettings
from tests.breaking import weight_broken_by_step
from tests.tiny import MACHINE, tiny_stage
from tests.tiny_reward import prefer_last_token

PROMPTS = [[7, 8, 9, 10], [11, 12], [13, 14, 15], [8], [9, 9]]
SETTINGS = PpoSettings(
    updates=5,
    rollouts=8,
    minibatches=2,
    max_new_tokens=4,
    learning_rate=1e-2,
    value_learning_rate=1e-2,
    checkpoint_every=2,
)
WARMING_UP = SETTINGS.model_copy(update={"value_warmup_updates": 3})


def load(artifacts: Path, tuning: Tuning = "full") -> PpoModels:
    torch.manual_seed(0)
    return load_ppo_models(artifacts / "sft", artifacts / "reward", MACHINE, tuning, LoraConfig(r=2, alpha=4))


def train(models: PpoModels, stage: Stage, settings: PpoSettings = SETTINGS) -> list[dict[str, float]]:
    """Train and return the history; token 4 ends a response."""
    train_ppo(models, PROMPTS, Decoding(settings.max_new_tokens, settings.temperature, 4, 0), settings, stage)
    return stage.progress.rows()


class KilledError(Exception):
    """Stands for a kill."""


class KillingProgress(Progress):
    """Dies in the fourth update, after its numbers are logged and before anything else happens."""

    def log(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        super().log(step, total, metrics)
        if step == 4:
            raise KilledError


def state(models: PpoModels) -> dict[str, Tensor]:
    return {**models.policy.state_dict(), **{f"value/{k}": v for k, v in models.value_model.state_dict().items()}}


@pytest.mark.parametrize(("tuning", "settings"), [("full", SETTINGS), ("lora", SETTINGS), ("full", WARMING_UP)])
def test_a_killed_run_ends_like_one_that_was_not(
    artifacts: Path, tmp_path: Path, tuning: Tuning, settings: PpoSettings
) -> None:
    straight = load(artifacts, tuning)
    history = train(straight, tiny_stage(tmp_path, "straight"), settings)

    stage = tiny_stage(tmp_path, "killed")
    killing = replace(stage, progress=KillingProgress("killed", stage.scratch))
    with pytest.raises(KilledError):
        train(load(artifacts, tuning), killing, settings)
    torch.rand(7)  # the process's random state plays no part
    resumed = load(artifacts, tuning)
    assert train(resumed, stage, settings) == history

    expected = state(straight)
    for name, weight in state(resumed).items():
        assert weight.equal(expected[name]), name


def test_the_policy_stays_at_its_reference_until_the_value_model_is_warm(artifacts: Path, tmp_path: Path) -> None:
    history = train(load(artifacts), tiny_stage(tmp_path, "ppo"), WARMING_UP)
    assert [row["objective/kl_k3"] == 0 for row in history] == [True, True, True, True, False]
    assert [row["learning_rate"] for row in history] == pytest.approx([0, 0, 0, 1e-2, 5e-3])
    assert [row["value/learning_rate"] for row in history] == pytest.approx([1e-2, 8e-3, 6e-3, 4e-3, 2e-3])
    assert ["policy/loss" in row for row in history] == [False, False, False, True, True]


def test_the_kl_starts_at_exactly_0_and_then_moves(artifacts: Path, tmp_path: Path) -> None:
    history = train(load(artifacts), tiny_stage(tmp_path, "ppo"))
    assert history[0]["objective/kl"] == history[0]["objective/kl_k3"] == history[0]["objective/kl_exact"] == 0
    assert all(row["objective/kl_k3"] > 0 and row["objective/kl_exact"] > 0 for row in history[1:])
    assert [row["step"] for row in history] == [1, 2, 3, 4, 5]


def test_every_update_draws_responses_of_its_own(artifacts: Path, tmp_path: Path) -> None:
    still = SETTINGS.model_copy(update={"learning_rate": 1e-12})
    stage = tiny_stage(tmp_path, "ppo")
    train_ppo(load(artifacts), PROMPTS[:1], Decoding(still.max_new_tokens, 1.0, 4, 0), still, stage)
    assert len({row["objective/scores"] for row in stage.progress.rows()}) == still.updates


def test_the_reward_is_the_score_minus_the_penalty_minus_the_charged_kl(artifacts: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"kl_coef": 0.3, "missing_eos_penalty": 2.0})
    for row in train(load(artifacts), tiny_stage(tmp_path, "ppo"), settings):
        unfinished = 1 - row["response/finished"]
        expected = row["objective/scores"] - 2.0 * unfinished - 0.3 * row["objective/kl"]
        assert row["objective/rewards"] == pytest.approx(expected, abs=1e-5)


def test_divergence_is_told_and_not_saved(artifacts: Path, tmp_path: Path) -> None:
    models, stage = load(artifacts), tiny_stage(tmp_path, "ppo")
    exploding = models._replace(scaling=Scaling(0.0, 1e-40))
    with pytest.raises(TrainingError, match=r"ppo diverged: .* at step 1 of 5\. Lower ppo\.learning_rate"):
        train(exploding, stage, SETTINGS.model_copy(update={"checkpoint_every": 1}))
    assert not (stage.scratch / "checkpoints").exists()


@pytest.mark.parametrize(("update", "rate"), [(1, "learning_rate"), (4, "learning_rate"), (4, "value_learning_rate")])
def test_weights_that_are_not_finite_become_no_checkpoint(
    update: int, rate: str, artifacts: Path, tmp_path: Path
) -> None:
    stage, settings = tiny_stage(tmp_path, "ppo"), SETTINGS.model_copy(update={"checkpoint_every": 1})
    kept = f"the step checkpoint of step {update - 1}" if update > 1 else "no step checkpoint yet"
    message = rf"ppo diverged: .* is not finite at step {update} of 5\. Lower ppo\.{rate}\. .* {kept}\."
    broken = 4 * update - (rate == "learning_rate")  # an update is two steps of each model, the policy's first
    with weight_broken_by_step(broken), pytest.raises(TrainingError, match=message):
        train(load(artifacts), stage, settings)
    checkpoint = load_checkpoint(stage.scratch / "checkpoints", print)
    assert (checkpoint.step if checkpoint else 0) == update - 1
    weights = checkpoint.state["policy"] if checkpoint else {}
    assert all(weight.isfinite().all() for weight in weights.values())


def test_a_policy_that_cannot_be_sampled_from_any_more_has_diverged(artifacts: Path, tmp_path: Path) -> None:
    models: Any = load(artifacts)
    with torch.no_grad():
        models.policy.model.norm.weight.fill_(3e38)  # finite, and the logits are not
    with pytest.raises(TrainingError, match=r"ppo diverged: .* at step 1 of 5\."):
        train(models, tiny_stage(tmp_path, "ppo"))


def test_values_that_are_not_finite_name_the_value_models_learning_rate(artifacts: Path, tmp_path: Path) -> None:
    models: Any = load(artifacts)
    with torch.no_grad():
        models.value_model.model.norm.weight.fill_(3e38)  # finite, and the values are not
        models.value_model.score.weight.fill_(3e38)
    with pytest.raises(TrainingError, match=r"ppo diverged: .* at step 1 of 5\. Lower ppo\.value_learning_rate\."):
        train(models, tiny_stage(tmp_path, "ppo"))


def learn_to_end(artifacts: Path, root: Path, kl_coef: float) -> list[dict[str, float]]:
    """Train on a reward of 1 for a response that ends with token 4 and 0 for any other, its weights set by hand."""
    models = load(artifacts)._replace(scaling=Scaling(0.0, 1.0))
    prefer_last_token(models.reward_model, token=4)
    prefer_last_token(models.value_model, token=4)
    changes = {"updates": 25, "rollouts": 64, "kl_coef": kl_coef, "missing_eos_penalty": 0.0}
    return train(models, tiny_stage(root, "ppo"), SETTINGS.model_copy(update=changes))


def test_ppo_learns_what_the_reward_model_prefers(artifacts: Path, tmp_path: Path) -> None:
    history = learn_to_end(artifacts, tmp_path, kl_coef=0.0)
    assert history[0]["objective/scores"] == pytest.approx(history[0]["response/finished"], abs=1e-4)
    assert history[0]["response/finished"] < 0.1
    assert history[-1]["response/finished"] > 0.9
    assert history[-1]["objective/scores"] > 0.9
    assert history[-1]["objective/kl"] > 1


def test_a_charge_on_the_kl_holds_the_policy_at_its_reference(artifacts: Path, tmp_path: Path) -> None:
    history = learn_to_end(artifacts, tmp_path, kl_coef=10.0)
    assert history[-1]["objective/kl_k3"] < 0.2


def test_settings_refuse_a_minibatch_without_a_response() -> None:
    with pytest.raises(ValueError, match=r"minibatches \(4\) must not exceed rollouts \(2\)"):
        PpoSettings(rollouts=2)
