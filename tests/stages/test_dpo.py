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


def soft(rows: list[Comparison], **fields: float) -> list[Comparison]:
    return [row.model_copy(update=fields) for row in rows]


def weights_of(root: Path, config: DpoConfig, rows: list[Comparison]) -> dict[str, torch.Tensor]:
    """The weights that training on rows leaves."""
    root.mkdir()
    stage = stage_with(root, rows)
    train_dpo(config, stage)
    return load_file(stage.output / "model.safetensors")


@pytest.mark.parametrize("sft_weight", [0.0, 0.5])
def test_a_label_that_is_nearly_certain_trains_as_a_plain_one(sft_weight: float, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"sft_weight": sft_weight, "epochs": 2})
    train = tiny_comparisons("train")
    plain = weights_of(tmp_path / "plain", config, train)
    certain = weights_of(tmp_path / "certain", config, soft(train, probability=1 - 1e-9))
    for name, weight in plain.items():
        torch.testing.assert_close(certain[name], weight, rtol=0, atol=1e-4)


def test_the_less_sure_the_labels_the_less_is_learned(tmp_path: Path) -> None:
    train = tiny_comparisons("train")
    margins = []
    for chance in (0.5, 0.7, 0.99):
        root = tmp_path / str(chance)
        weights_of(root, CONFIG.model_copy(update={"sft_weight": 0.5}), soft(train, probability=chance))
        margins.append(margin(root / "artifacts" / "dpo.tmp") - margin(root / "artifacts" / "sft"))
    assert margins[0] == pytest.approx(0, abs=0.05 * margins[1])
    assert 0 < margins[1] < margins[2]


def test_a_rows_weight_is_how_much_of_the_gradient_is_its_own(tmp_path: Path) -> None:
    """Contrary rows beside the others: whichever weighs more wins."""
    train = tiny_comparisons("train")
    contrary = [row.model_copy(update={"chosen": row.rejected, "rejected": row.chosen}) for row in train]
    for name, weight, sign in (("light", 0.1, 1), ("heavy", 10.0, -1)):
        weights_of(tmp_path / name, CONFIG, [*train, *soft(contrary, weight=weight)])
        root = tmp_path / name / "artifacts"
        assert sign * (margin(root / "dpo.tmp") - margin(root / "sft")) > 0


def test_smoothing_is_a_soft_label_for_every_plain_row(tmp_path: Path) -> None:
    train, config = tiny_comparisons("train"), CONFIG.model_copy(update={"epochs": 2})
    smoothed = weights_of(tmp_path / "smoothed", config.model_copy(update={"label_smoothing": 0.25}), train)
    soft_rows = weights_of(tmp_path / "soft", config, soft(train, probability=0.75))
    assert all(torch.equal(smoothed[name], soft_rows[name]) for name in smoothed)


def test_killed_in_the_middle_of_soft_labels_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, soft(ROWS, probability=0.8, weight=0.5))
    undisturbed = finish(lambda stage: train_dpo(LORA, stage), stage)
    kill_after(20, lambda stage: train_dpo(LORA, stage), stage)
    assert finish(lambda stage: train_dpo(LORA, stage), stage) == undisturbed
