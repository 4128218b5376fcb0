from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from stemma.config import LoraConfig, MachineConfig
from stemma.errors import ArtifactError, DataError, TrainingError
from stemma.models.policy import load_policy, save_policy, trainable_policy
from stemma.models.tokenizer import load_tokenizer
from stemma.records.jsonl import write_rows
from stemma.records.types import Demonstration
from stemma.stage.door import Stage
from stemma.stage.manifest import write_manifest
from stemma.stage.steps import last_whole_checkpoint
from tasks.sft import CHAMPION, SftConfig, train_sft
from tests.breaking import weight_broken_by_step
from tests.killing import finish, kill_after, stop_after
from tests.tiny import MACHINE, conversation, tiny_artifact, tiny_demonstrations, tiny_stage

CONFIG = SftConfig(batch_size=4, epochs=4, learning_rate=3e-3, checkpoint_every=10)
LORA = CONFIG.model_copy(update={"tuning": "lora", "lora": LoraConfig(r=2, alpha=4)})


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return stage_with(tmp_path, tiny_demonstrations() * 3)


def stage_with(root: Path, demonstrations: list[Demonstration]) -> Stage:
    tiny_artifact(root / "artifacts" / "base")
    data = root / "artifacts" / "data"
    data.mkdir()
    write_rows(data / "demonstrations.jsonl", demonstrations)
    return tiny_stage(root, "sft", ["data", "base"])


def test_every_weight_moves_and_the_loss_falls(stage: Stage) -> None:
    train_sft(CONFIG, stage)
    before = load_file(stage.input("base") / "model.safetensors")
    after = load_file(stage.output / "model.safetensors")
    assert before.keys() == after.keys()
    assert [name for name in before if torch.equal(before[name], after[name])] == []
    rows = stage.progress.rows()
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["token_accuracy"] > rows[0]["token_accuracy"]
    assert set(rows[0]) == {"step", "loss", "learning_rate", "grad_norm", "token_accuracy", "entropy"}


def test_with_adapters_only_they_are_trained(stage: Stage) -> None:
    train_sft(LORA, stage)
    weights = load_file(stage.output / "adapter_model.safetensors")
    assert all("lora_A" in name or "lora_B" in name for name in weights)
    assert all(weight.any() for weight in weights.values())  # each B began as zeros
    base, sft = load_policy(stage.input("base"), MACHINE), load_policy(stage.output, MACHINE)
    unchanged = {name for name, value in base.state_dict().items() if torch.equal(value, sft.state_dict()[name])}
    assert unchanged == {name for name in base.state_dict() if "proj" not in name}


@pytest.mark.parametrize("config", [CONFIG, LORA], ids=["full", "lora"])
def test_killed_and_run_again_it_ends_with_the_same_bytes(config: SftConfig, stage: Stage) -> None:
    undisturbed = finish(lambda stage: train_sft(config, stage), stage)
    kill_after(20, lambda stage: train_sft(config, stage), stage)
    assert [path.name for path in (stage.scratch / "steps").glob("checkpoint-*")] == ["checkpoint-10"]
    assert finish(lambda stage: train_sft(config, stage), stage) == undisturbed
    assert not [name for name in undisturbed if name.endswith((".bin", ".pt", ".pth", "README.md"))]


def test_out_of_budget_it_stops_without_losing_a_step(stage: Stage) -> None:
    config = CONFIG.model_copy(update={"checkpoint_every": 100})
    undisturbed = finish(lambda stage: train_sft(config, stage), stage)
    stop_after(10, lambda stage: train_sft(config, stage), stage)
    assert [path.name for path in (stage.scratch / "steps").glob("checkpoint-*")] == ["checkpoint-10"]
    assert finish(lambda stage: train_sft(config, stage), stage) == undisturbed


def test_a_checkpoint_that_the_kill_cut_short_is_passed_over(stage: Stage) -> None:
    undisturbed = finish(lambda stage: train_sft(CONFIG, stage), stage)
    kill_after(30, lambda stage: train_sft(CONFIG, stage), stage)
    newest = stage.scratch / "steps" / "checkpoint-20"
    (newest / "whole").unlink()
    (newest / "optimizer.pt").write_bytes(b"half")
    assert finish(lambda stage: train_sft(CONFIG, stage), stage) == undisturbed


def test_a_split_batch_teaches_the_same(stage: Stage) -> None:
    for accumulation in (1, 2):
        train_sft(CONFIG.model_copy(update={"accumulation": accumulation, "epochs": 1}), stage)
        weights = load_file(stage.output / "model.safetensors")
        if accumulation == 1:
            whole = weights
            (stage.scratch / "steps").rename(stage.scratch / "done")
    for name, weight in weights.items():
        torch.testing.assert_close(weight, whole[name], rtol=0, atol=2e-4)


@pytest.mark.parametrize("config", [CONFIG, LORA], ids=["full", "lora"])
def test_16_bit_arithmetic_trains_too(config: SftConfig, stage: Stage) -> None:
    half: Any = {**stage.__dict__, "machine": MachineConfig(precision="bf16", threads=1)}
    train_sft(config.model_copy(update={"gradient_checkpointing": True}), Stage(**half))
    rows = stage.progress.rows()
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_the_tokenizer_and_its_template_travel_with_the_model(stage: Stage) -> None:
    train_sft(CONFIG.model_copy(update={"epochs": 1}), stage)
    ours, theirs = load_tokenizer(stage.output), load_tokenizer(stage.input("base"))
    assert ours.chat_template == theirs.chat_template
    assert (stage.output / "tokenizer.json").read_bytes() == (stage.input("base") / "tokenizer.json").read_bytes()


def test_divergence_is_told_and_the_last_good_step_is_kept(stage: Stage) -> None:
    message = r"sft diverged: loss is nan at step 30 of 36\. Lower sft\.learning_rate\. .* checkpoint of step 20\."
    with weight_broken_by_step(24), pytest.raises(TrainingError, match=message):
        train_sft(CONFIG, stage)
    assert kept(stage) == "checkpoint-20"


@pytest.mark.parametrize("config", [CONFIG, LORA], ids=["full", "lora"])
def test_weights_that_are_not_finite_become_no_checkpoint(config: SftConfig, stage: Stage) -> None:
    message = r"sft diverged: .* is not finite at step 20 of 36\. .* the step checkpoint of step 10\."
    with weight_broken_by_step(20), pytest.raises(TrainingError, match=message):
        train_sft(config, stage)
    assert kept(stage) == "checkpoint-10"


def test_weights_that_are_not_finite_become_no_model(stage: Stage) -> None:
    message = r"sft diverged: .* is not finite at step 36 of 36\. .* the step checkpoint of step 30\."
    with weight_broken_by_step(36), pytest.raises(TrainingError, match=message):
        train_sft(CONFIG, stage)
    assert not list(stage.output.iterdir())


def kept(stage: Stage) -> str:
    """The name of the newest whole step checkpoint."""
    checkpoint = last_whole_checkpoint(stage.scratch / "steps")
    return checkpoint.name if checkpoint else ""


def test_a_demonstration_that_does_not_fit_is_named(tmp_path: Path) -> None:
    long = Demonstration(prompt=conversation("where ?"), completion="know " * 70)
    with pytest.raises(DataError, match="1 of 1 demonstration is longer than the model's context of 64 tokens"):
        train_sft(CONFIG, stage_with(tmp_path, [long]))


def test_without_demonstrations_there_is_nothing_to_imitate(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"demonstrations.jsonl is empty"):
        train_sft(CONFIG, stage_with(tmp_path, []))


@pytest.fixture
def round_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The sft stage of a round, whose champion is not there yet."""
    monkeypatch.chdir(tmp_path)
    return stage_with(tmp_path, [])


ROUND = SftConfig(source="champion")


def test_a_round_passes_the_champion_through_byte_for_byte(round_stage: Stage) -> None:
    tiny_artifact(CHAMPION)
    (CHAMPION / "history.csv").write_text("how the champion was trained")
    write_manifest(CHAMPION, "ppo", {})
    train_sft(ROUND, round_stage)
    left = {path.name for path in CHAMPION.iterdir()} - {"manifest.json", "history.csv"}
    assert {path.name for path in round_stage.output.iterdir()} == left
    assert all((round_stage.output / name).read_bytes() == (CHAMPION / name).read_bytes() for name in left)


def test_a_champion_of_adapters_is_passed_through_whole(round_stage: Stage) -> None:
    below = tiny_artifact(CHAMPION.with_name("sft"))
    CHAMPION.mkdir()
    policy = trainable_policy(below, MACHINE, "lora", LORA.lora)
    torch.manual_seed(1)
    for name, weight in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    save_policy(policy, load_tokenizer(below), CHAMPION, base=below)
    write_manifest(CHAMPION, "ppo", {})
    train_sft(ROUND, round_stage)
    champion, passed = load_policy(CHAMPION, MACHINE), load_policy(round_stage.output, MACHINE)
    assert not (round_stage.output / "base.json").exists()
    assert all(torch.equal(value, passed.state_dict()[name]) for name, value in champion.state_dict().items())


def test_a_champion_whose_bytes_changed_is_not_passed_through(round_stage: Stage) -> None:
    tiny_artifact(CHAMPION)
    (CHAMPION / "config.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"from-champion/config\.json changed"):
        train_sft(ROUND, round_stage)
