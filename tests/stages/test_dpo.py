import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stemma.config import LoraConfig
from stemma.errors import DataError
from stemma.models.chat import encode_answers, encode_prompts
from stemma.models.policy import load_policy
from stemma.models.tokenizer import load_tokenizer
from stemma.records.jsonl import write_rows
from stemma.records.types import Comparison
from stemma.stage.door import Stage
from stemma.stage.manifest import file_sha256
from stemma.training.answer_logps import answer_logps
from tasks.dpo import DpoConfig, train_dpo
from tests.killing import finish, kill_after
from tests.tiny import MACHINE, tiny_artifact, tiny_comparisons, tiny_stage

CONFIG = DpoConfig(batch_size=4, epochs=5, learning_rate=1e-3, checkpoint_every=10, sft_weight=0)
LORA = CONFIG.model_copy(update={"tuning": "lora", "lora": LoraConfig(r=2, alpha=4)})
ROWS = [*tiny_comparisons("train"), *tiny_comparisons("test")]


def stage_with(root: Path, comparisons: list[Comparison]) -> Stage:
    tiny_artifact(root / "artifacts" / "sft")
    label = root / "artifacts" / "label"
    label.mkdir()
    write_rows(label / "comparisons.jsonl", comparisons)
    return tiny_stage(root, "dpo", ["sft", "label"])


def margin(folder: Path) -> float:
    """How much likelier the policy finds what is preferred, in nats."""
    policy, tokenizer = load_policy(folder, MACHINE), load_tokenizer(folder)
    rows = tiny_comparisons("test")
    prompts = encode_prompts(tokenizer, [row.prompt for row in rows])
    chosen = answer_logps(policy, prompts, encode_answers(tokenizer, [row.chosen for row in rows]), 64)
    rejected = answer_logps(policy, prompts, encode_answers(tokenizer, [row.rejected for row in rows]), 64)
    return sum(chosen) - sum(rejected)


@pytest.mark.parametrize("config", [CONFIG, LORA], ids=["full", "lora"])
def test_what_is_preferred_becomes_likelier_and_the_reference_stays(config: DpoConfig, tmp_path: Path) -> None:
    stage = stage_with(tmp_path, ROWS)
    before = {path.name: file_sha256(path) for path in stage.input("sft").iterdir()}
    metrics = train_dpo(config, stage)
    assert metrics["test/accuracy"] == 1.0
    assert metrics["test/pairs"] == metrics["train/pairs"] == 24
    assert margin(stage.output) > margin(stage.input("sft"))
    assert {path.name: file_sha256(path) for path in stage.input("sft").iterdir()} == before
    assert set(stage.progress.rows()[0]) == {
        "step", "loss", "learning_rate", "grad_norm", "rewards/chosen", "rewards/rejected", "rewards/margins",
        "rewards/accuracies", "logps/chosen", "logps/rejected",
    }  # fmt: skip


def test_every_weight_moves(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, ROWS)
    train_dpo(CONFIG, stage)
    before, after = (load_file(folder / "model.safetensors") for folder in (stage.input("sft"), stage.output))
    assert [name for name in before if torch.equal(before[name], after[name])] == []


def test_with_adapters_only_they_are_trained(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, ROWS)
    train_dpo(LORA, stage)
    weights = load_file(stage.output / "adapter_model.safetensors")
    assert all("lora_" in name for name in weights)
    assert all(weight.any() for weight in weights.values())


@pytest.mark.parametrize("config", [CONFIG, LORA], ids=["full", "lora"])
def test_a_policy_that_has_not_moved_has_the_loss_of_a_coin(config: DpoConfig, tmp_path: Path) -> None:
    stage = stage_with(tmp_path, ROWS)
    train_dpo(config.model_copy(update={"learning_rate": 1e-12, "epochs": 2}), stage)
    first = stage.progress.rows()[0]
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-4)  # policy = reference: −log σ(0)
    assert first["rewards/margins"] == pytest.approx(0, abs=1e-4)


def test_the_chosen_answers_likelihood_may_be_held_up(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, ROWS)
    train_dpo(CONFIG.model_copy(update={"sft_weight": 1.0, "learning_rate": 1e-12, "epochs": 2}), stage)
    row = stage.progress.rows()[0]
    per_token = -row["logps/chosen"] / 6  # "i do not know ." and its end are six tokens in every pair
    assert row["loss"] == pytest.approx(math.log(2) + per_token, abs=1e-3)


@pytest.mark.parametrize("config", [CONFIG, LORA], ids=["full", "lora"])
def test_killed_and_run_again_it_ends_with_the_same_bytes(config: DpoConfig, tmp_path: Path) -> None:
    stage = stage_with(tmp_path, ROWS)
    undisturbed = finish(lambda stage: train_dpo(config, stage), stage)
    kill_after(20, lambda stage: train_dpo(config, stage), stage)
    assert finish(lambda stage: train_dpo(config, stage), stage) == undisturbed


def test_without_training_pairs_there_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no comparison of the train split"):
        train_dpo(CONFIG, stage_with(tmp_path, tiny_comparisons("test")))
