from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from stemma.config import LoraConfig, MachineConfig, Tuning
from stemma.sampling.rollouts import PpoModels
from stemma.training.ppo_experience import Experience
from stemma.training.ppo_learner import Learner, learning_networks, new_learner, set_learning_rates
from stemma.training.ppo_models import load_ppo_models
from stemma.training.ppo_settings import PpoSettings
from tests.tiny import MACHINE
from tests.tiny_ppo import experience_with

SETTINGS = PpoSettings(
    rollouts=8,
    minibatches=2,
    epochs=2,
    micro_batch_size=4,
    max_new_tokens=5,
    learning_rate=1e-2,
    value_learning_rate=1e-2,
)
WARMING_UP = SETTINGS.model_copy(update={"value_warmup_updates": 1})


def learner_of(
    artifacts: Path, settings: PpoSettings = SETTINGS, tuning: Tuning = "full", machine: MachineConfig = MACHINE
) -> Learner:
    torch.manual_seed(0)
    models = load_ppo_models(artifacts / "sft", artifacts / "reward", machine, tuning, LoraConfig(r=2, alpha=4))
    return new_learner(models, settings, machine)


def weights(models: PpoModels) -> dict[str, Tensor]:
    """A copy of every parameter of the four models."""
    named = {
        "policy": models.policy,
        "ref": models.ref_policy,
        "reward": models.reward_model,
        "value": models.value_model,
    }
    return {
        f"{name}/{key}": parameter.detach().clone()
        for name, model in named.items()
        if model is not None
        for key, parameter in model.named_parameters()
    }


def moved(learner: Learner) -> tuple[set[str], set[str]]:
    """The parameters that one update moves, and those that it leaves."""
    experience, before = experience_with(learner), weights(learner.models)
    learner.improve(experience, seed=0)
    after = weights(learner.models)
    changed = {name for name in before if not before[name].equal(after[name])}
    return changed, set(before) - changed


def test_the_policy_and_the_value_model_move_whole_and_the_others_never(artifacts: Path) -> None:
    changed, unchanged = moved(learner_of(artifacts))
    assert {name.split("/")[0] for name in changed} == {"policy", "value"}
    assert {name.split("/")[0] for name in unchanged} == {"ref", "reward"}


def test_under_adapters_nothing_else_moves(artifacts: Path) -> None:
    changed, unchanged = moved(learner_of(artifacts, tuning="lora"))
    adapters = {name for name in changed | unchanged if "lora_" in name or "modules_to_save" in name}
    assert changed == adapters


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_micro_batches_change_nothing(artifacts: Path, tuning: Tuning) -> None:
    whole = learner_of(artifacts, SETTINGS, tuning)
    split = learner_of(artifacts, SETTINGS.model_copy(update={"micro_batch_size": 1}), tuning)
    experience = experience_with(whole)
    metrics, split_metrics = (learner.improve(experience, seed=0) for learner in (whole, split))
    assert metrics == pytest.approx(split_metrics, rel=1e-3, abs=1e-5)
    expected = weights(whole.models)
    for name, weight in weights(split.models).items():
        assert_close(weight, expected[name], rtol=1e-3, atol=1e-4)


def test_micro_batches_of_unequal_length_weigh_by_their_tokens(artifacts: Path) -> None:
    one_step = SETTINGS.model_copy(update={"epochs": 1, "minibatches": 1, "micro_batch_size": 8})
    whole, split = (learner_of(artifacts, one_step.model_copy(update={"micro_batch_size": size})) for size in (8, 1))
    experience = experience_with(whole)
    lengths = torch.tensor([1, 5, 2, 4, 3, 5, 1, 1])
    experience = experience._replace(mask=torch.arange(experience.mask.shape[1]) < lengths.unsqueeze(1))
    metrics, split_metrics = (learner.improve(experience, seed=0) for learner in (whole, split))
    assert metrics == pytest.approx(split_metrics, rel=1e-3, abs=1e-5)


def test_every_step_begins_without_gradients(artifacts: Path) -> None:
    still = SETTINGS.model_copy(
        update={
            "epochs": 1,
            "minibatches": 1,
            "max_grad_norm": 1e9,
            "learning_rate": 1e-12,
            "value_learning_rate": 1e-12,
        }
    )
    once, twice = (learner_of(artifacts, still.model_copy(update={"epochs": epochs})) for epochs in (1, 2))
    experience = experience_with(once)
    metrics, mean_of_two = (learner.improve(experience, seed=0) for learner in (once, twice))
    for name in ("policy/grad_norm", "value/grad_norm"):
        assert mean_of_two[name] == pytest.approx(metrics[name], rel=1e-3)


def test_the_first_step_finds_the_policy_unmoved(artifacts: Path) -> None:
    learner = learner_of(artifacts, SETTINGS.model_copy(update={"epochs": 1, "minibatches": 1}))
    metrics = learner.improve(experience_with(learner), seed=0)
    assert metrics["policy/clip_fraction"] == 0
    assert metrics["policy/approx_kl"] == pytest.approx(0, abs=1e-6)
    assert metrics["value/clip_fraction"] == 0


def test_a_good_token_becomes_likelier_and_a_bad_one_less_likely(artifacts: Path) -> None:
    learner = learner_of(artifacts, SETTINGS.model_copy(update={"epochs": 1, "minibatches": 1, "learning_rate": 1e-3}))
    experience = experience_with(learner)
    learner.improve(experience, seed=0)
    after = experience_with_tokens(learner, experience)
    gain = (after - experience.old_logprobs) * experience.advantages
    assert gain[experience.mask].mean() > 0


def experience_with_tokens(learner: Learner, experience: Experience) -> Tensor:
    """The policy's logprobs of an experience's tokens now."""
    from stemma.objectives.logprobs import token_logprobs
    from stemma.sampling.forward import response_logits

    with torch.no_grad():
        logits = response_logits(
            learner.models.policy, experience.sequences, experience.attention_mask, experience.mask.shape[1]
        )
    return token_logprobs(logits, experience.tokens)


def test_the_gradient_is_clipped_for_each_model_apart(artifacts: Path) -> None:
    learner = learner_of(artifacts, SETTINGS.model_copy(update={"max_grad_norm": 1e-3, "epochs": 1, "minibatches": 1}))
    metrics = learner.improve(experience_with(learner), seed=0)
    for model, name in ((learner.models.policy, "policy"), (learner.models.value_model, "value")):
        norms = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None])
        assert norms.norm().item() == pytest.approx(1e-3, rel=1e-2)
        assert metrics[f"{name}/grad_norm"] > 1e-3


def test_both_learning_rates_fall_to_0_after_the_last_update(artifacts: Path) -> None:
    settings = SETTINGS.model_copy(update={"updates": 4, "learning_rate": 0.8, "value_learning_rate": 0.4})
    learner = learner_of(artifacts, settings)
    rates = [set_learning_rates(learner, update) for update in (1, 2, 3, 4)]
    assert [rate["policy"] for rate in rates] == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert [rate["value"] for rate in rates] == pytest.approx([0.4, 0.3, 0.2, 0.1])
    assert rates_in_force(learner) == rates[-1]


def rates_in_force(learner: Learner) -> dict[str, float]:
    return {network: optimizer.param_groups[0]["lr"] for network, optimizer in learner.optimizers.items()}


def test_after_the_warm_up_the_policy_begins_at_its_whole_learning_rate(artifacts: Path) -> None:
    settings = SETTINGS.model_copy(
        update={"updates": 4, "learning_rate": 0.8, "value_learning_rate": 0.4, "value_warmup_updates": 2}
    )
    rates = [set_learning_rates(learner_of(artifacts, settings), update) for update in (1, 2, 3, 4)]
    assert [rate["policy"] for rate in rates] == pytest.approx([0.0, 0.0, 0.8, 0.4])
    assert [rate["value"] for rate in rates] == pytest.approx([0.4, 0.3, 0.2, 0.1])
    assert [learning_networks(settings, update) for update in (2, 3)] == [("value",), ("policy", "value")]


def step_sizes(artifacts: Path, settings: PpoSettings) -> dict[str, Tensor]:
    """How far the first optimizer step moves every weight that it moves."""
    learner = learner_of(artifacts, settings.model_copy(update={"epochs": 1, "minibatches": 1}))
    set_learning_rates(learner, 1)
    experience, before = experience_with(learner), weights(learner.models)
    learner.improve(experience, seed=0)
    return {name: weight - before[name] for name, weight in weights(learner.models).items()}


def test_the_value_learning_rate_scales_the_value_models_steps_and_not_the_policys(artifacts: Path) -> None:
    steps = step_sizes(artifacts, SETTINGS.model_copy(update={"value_learning_rate": 1e-3}))
    tenfold = step_sizes(artifacts, SETTINGS.model_copy(update={"value_learning_rate": 1e-2}))
    for name, step in steps.items():
        if name.startswith("value/"):
            assert_close(tenfold[name], 10 * step, rtol=1e-3, atol=1e-6)
        else:
            assert tenfold[name].equal(step)
    assert any(step.abs().max() > 1e-4 for name, step in steps.items() if name.startswith("value/"))


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_in_the_warm_up_the_value_model_alone_learns(artifacts: Path, tuning: Tuning) -> None:
    learner = learner_of(artifacts, tuning=tuning)
    experience, before = experience_with(learner), weights(learner.models)
    metrics = learner.improve(experience, 0, learning_networks(WARMING_UP, 1))
    changed = {name for name, weight in weights(learner.models).items() if not weight.equal(before[name])}
    assert {name.split("/")[0] for name in changed} == {"value"}
    assert set(metrics) == {"value/loss", "value/clip_fraction", "value/grad_norm"}


def test_the_warm_up_must_leave_updates_for_the_policy() -> None:
    with pytest.raises(ValueError, match=r"value_warmup_updates \(5\) must be below updates \(5\)"):
        PpoSettings(updates=5, value_warmup_updates=5)


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_bf16_learns_too_and_starts_at_the_reference(artifacts: Path, tuning: Tuning) -> None:
    learner = learner_of(artifacts, tuning=tuning, machine=MACHINE.model_copy(update={"precision": "bf16"}))
    experience = experience_with(learner)
    assert experience.rewards[:, :-1].eq(0).all()  # no KL charged: the policy is the reference, bit for bit
    before = weights(learner.models)
    metrics = learner.improve(experience, seed=0)
    assert all(torch.isfinite(torch.tensor(list(metrics.values()))))
    assert not all(weight.equal(before[name]) for name, weight in weights(learner.models).items())
