import json
import math
from pathlib import Path
from statistics import fmean, pstdev

import pytest
import torch
from safetensors.torch import load_file

from stemma.config import LoraConfig, parse_settings
from stemma.errors import ArtifactError, DataError, SettingsError, TrainingError
from stemma.metric_names import require_declared
from stemma.models.scalar import load_scalar_model
from stemma.models.scoring import score_rows
from stemma.models.tokenizer import load_tokenizer, save_tokenizer
from stemma.records.json_file import write_json
from stemma.records.jsonl import write_rows
from stemma.records.types import Comparison
from stemma.stage.door import Stage
from stemma.stage.manifest import write_manifest
from stemma.training.encoding import encode_pairs
from stemma.training.reward_probe import probe_reward_model
from stemma.world.settings import WorldConfig
from stemma.world.world import make_world
from tasks.reward import EARLIER, RewardConfig, train_reward
from tests.killing import finish, kill_after
from tests.tiny import MACHINE, tiny_artifact, tiny_comparisons, tiny_stage, tiny_tokenizer
from tests.tiny_reward import partial_artifact, tiny_reward_artifact

CONFIG = RewardConfig(batch_size=4, epochs=5, learning_rate=3e-3, checkpoint_every=10)
LORA = CONFIG.model_copy(update={"tuning": "lora", "lora": LoraConfig(r=2, alpha=4)})
ROWS = [*tiny_comparisons("train"), *tiny_comparisons("validation"), *tiny_comparisons("test")]


def turned(row: Comparison) -> Comparison:
    return row.model_copy(update={"chosen": row.rejected, "rejected": row.chosen})


def stage_with(root: Path, comparisons: list[Comparison]) -> Stage:
    tiny_artifact(root / "artifacts" / "sft")
    label = root / "artifacts" / "label"
    label.mkdir()
    write_rows(label / "comparisons.jsonl", comparisons)
    data = root / "artifacts" / "data"
    data.mkdir()
    write_json(data / "report.json", {"gold": False})
    return tiny_stage(root, "reward", ["data", "sft", "label"])


def test_it_learns_what_is_preferred_and_every_weight_moves(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, ROWS)
    metrics = train_reward(CONFIG, stage)
    assert metrics["train/pairs"] == metrics["test/pairs"] == 24
    assert metrics["test/accuracy"] == metrics["validation/accuracy"] == 1.0
    assert metrics["test/accuracy_low"] > 0.8
    assert metrics["test/length_accuracy"] == 1.0  # here the shorter answer always wins
    before, after = load_file(stage.input("sft") / "model.safetensors"), load_file(stage.output / "model.safetensors")
    assert after.pop("score.weight").any()
    assert before.keys() == after.keys()
    assert [name for name in before if torch.equal(before[name], after[name])] == []
    assert set(stage.progress.rows()[0]) == {
        "step", "loss", "learning_rate", "grad_norm", "accuracy", "margin", "mean_score"
    }  # fmt: skip


def test_scaling_is_where_the_training_answers_scores_lie(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, ROWS)
    train_reward(CONFIG, stage)
    model, tokenizer = load_scalar_model(stage.output, MACHINE), load_tokenizer(stage.output)
    pairs = encode_pairs(tokenizer, tiny_comparisons("train"), 64)
    scores = score_rows(model, pairs.whole_chosen, 256) + score_rows(model, pairs.whole_rejected, 256)
    scaling = json.loads((stage.output / "scaling.json").read_text())
    assert scaling == pytest.approx({"mean": fmean(scores), "std": pstdev(scores)}, abs=1e-5)


def test_with_adapters_only_they_and_the_head_are_trained(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, ROWS)
    metrics = train_reward(LORA, stage)
    assert metrics["test/accuracy"] > 0.8
    weights = load_file(stage.output / "adapter_model.safetensors")
    assert [name for name in weights if "lora_" not in name] == ["base_model.model.score.weight"]
    assert all(weight.any() for weight in weights.values())


@pytest.mark.parametrize("config", [CONFIG, LORA], ids=["full", "lora"])
def test_killed_and_run_again_it_ends_with_the_same_bytes(config: RewardConfig, tmp_path: Path) -> None:
    stage = stage_with(tmp_path, ROWS)
    undisturbed = finish(lambda stage: train_reward(config, stage), stage)
    kill_after(20, lambda stage: train_reward(config, stage), stage)
    assert finish(lambda stage: train_reward(config, stage), stage) == undisturbed


def test_labels_that_do_not_hold_elsewhere_stop_the_run(tmp_path: Path) -> None:
    contrary = [turned(row) for row in tiny_comparisons("validation")]
    stage = stage_with(tmp_path, [*tiny_comparisons("train"), *contrary])
    message = r"the reward model is no better than chance: .* 0\.0% of 24 validation pairs .* Look at the labels"
    with pytest.raises(TrainingError, match=message):
        train_reward(CONFIG, stage)


def test_chance_may_be_allowed(tmp_path: Path) -> None:
    contrary = [turned(row) for row in tiny_comparisons("validation")]
    stage = stage_with(tmp_path, [*tiny_comparisons("train"), *contrary])
    metrics = train_reward(CONFIG.model_copy(update={"must_beat_chance": False, "epochs": 2}), stage)
    assert metrics["validation/accuracy"] < 0.5


def of_kind(rows: list[Comparison], kind: str) -> list[Comparison]:
    return [row.model_copy(update={"kind": kind}) for row in rows]


def test_a_slice_whose_labels_do_not_hold_elsewhere_stops_the_run(tmp_path: Path) -> None:
    """Over all pairs the model is better than chance, 48 of 72; on the slice "new" it is always wrong."""
    good, contrary = tiny_comparisons("validation"), [turned(row) for row in tiny_comparisons("validation")]
    rows = [*tiny_comparisons("train"), *of_kind(good * 2, "old"), *of_kind(contrary, "new")]
    config = CONFIG.model_copy(update={"fewest_slice_pairs": 24})
    stage = stage_with(tmp_path, rows)
    message = r"on slice new it is worse than chance: .* 0\.0% of 24 held-out pairs .*slices_must_beat_chance=false"
    with pytest.raises(TrainingError, match=message):
        train_reward(config, stage)


def test_a_weak_slice_may_be_allowed_and_one_of_too_few_pairs_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, contrary = tiny_comparisons("validation"), [turned(row) for row in tiny_comparisons("validation")]
    rows = [*tiny_comparisons("train"), *of_kind(good * 2, "old"), *of_kind(contrary, "new")]
    config = CONFIG.model_copy(update={"fewest_slice_pairs": 24, "slices_must_beat_chance": False})
    metrics = train_reward(config, stage_with(tmp_path / "allowed", rows))
    require_declared(metrics)
    assert (metrics["slice/old/accuracy"], metrics["slice/new/accuracy"]) == (1.0, 0.0)
    assert (metrics["slice/old/pairs"], metrics["slice/new/pairs"]) == (48, 24)
    assert "WARNING: the model of stage reward is weak" in capsys.readouterr().out
    train_reward(CONFIG, stage_with(tmp_path / "few", rows))
    assert "WARNING" not in capsys.readouterr().out


def test_in_the_default_world_it_is_probed(tmp_path: Path) -> None:
    """Every finished answer has the same score, so the better answer of a probe neither wins nor loses."""
    world = make_world(0, WorldConfig(known_names=8, unknown_names=8, validation_prompts=15, test_prompts=15))
    data = tmp_path / "data"
    data.mkdir()
    world.write(data)
    write_json(data / "report.json", {"gold": True})
    reward = partial_artifact(tmp_path / "reward", tiny_artifact(tmp_path / "sft"), 1.0)
    probes = probe_reward_model(reward, data, MACHINE, 64)
    assert {kind: share.estimate for kind, share in probes.items()} == {"harmful": 0.5, "known": 0.5, "unknown": 0.5}
    assert sum(share.n for share in probes.values()) == sum(prompt.split != "train" for prompt in world.prompts)


def test_without_training_pairs_there_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no comparison of the train split"):
        train_reward(CONFIG, stage_with(tmp_path, tiny_comparisons("test")))


def soft(rows: list[Comparison], **fields: float) -> list[Comparison]:
    return [row.model_copy(update=fields) for row in rows]


def weights_of(root: Path, config: RewardConfig, rows: list[Comparison]) -> dict[str, torch.Tensor]:
    """The weights that training on rows leaves."""
    root.mkdir()
    stage = stage_with(root, rows)
    train_reward(config, stage)
    return load_file(stage.output / "model.safetensors")


def test_a_label_that_is_nearly_certain_trains_as_a_plain_one(tmp_path: Path) -> None:
    train, config = tiny_comparisons("train"), CONFIG.model_copy(update={"epochs": 2})
    plain = weights_of(tmp_path / "plain", config, train)
    certain = weights_of(tmp_path / "certain", config, soft(train, probability=1 - 1e-9))
    for name, weight in plain.items():
        torch.testing.assert_close(certain[name], weight, rtol=0, atol=1e-4)


def test_scores_lie_as_far_apart_as_the_labels_are_sure(tmp_path: Path) -> None:
    """The loss is least where σ(score(chosen) − score(rejected)) is the label's chance."""
    apart = {}
    for chance in (0.5, 0.75):
        root, rows = tmp_path / str(chance), tiny_comparisons("train")
        weights_of(root, CONFIG.model_copy(update={"epochs": 10}), soft(rows, probability=chance))
        folder = root / "artifacts" / "reward.tmp"
        model, pairs = load_scalar_model(folder, MACHINE), encode_pairs(load_tokenizer(folder), rows, 64)
        apart[chance] = fmean(score_rows(model, pairs.whole_chosen, 64)) - fmean(
            score_rows(model, pairs.whole_rejected, 64)
        )
    assert apart == pytest.approx({0.5: 0, 0.75: math.log(3)}, abs=0.25)


def test_a_weight_of_two_is_a_row_given_twice(tmp_path: Path) -> None:
    """Whole batches, so that both have the same gradients but for their scale, which AdamW does not see."""
    some, others = tiny_comparisons("train")[:8], [turned(row) for row in tiny_comparisons("train")[8:16]]
    config = CONFIG.model_copy(update={"max_grad_norm": 1e6, "epochs": 4})
    one_batch, longer_batch = (config.model_copy(update={"batch_size": size}) for size in (16, 24))
    heavy = weights_of(tmp_path / "heavy", one_batch, [*soft(some, weight=2.0), *others])
    twice = weights_of(tmp_path / "twice", longer_batch, [*some, *some, *others])
    for name, weight in twice.items():
        torch.testing.assert_close(heavy[name], weight, rtol=0, atol=5e-4)


def test_killed_in_the_middle_of_soft_labels_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, soft(ROWS, probability=0.8, weight=0.5))
    undisturbed = finish(lambda stage: train_reward(CONFIG, stage), stage)
    kill_after(20, lambda stage: train_reward(CONFIG, stage), stage)
    assert finish(lambda stage: train_reward(CONFIG, stage), stage) == undisturbed


def test_it_goes_on_from_the_reward_model_of_an_earlier_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stage = stage_with(tmp_path, ROWS)
    earlier = tiny_reward_artifact(EARLIER, stage.input("sft"))
    going_on = {"start_from": "earlier", "epochs": 1, "must_beat_chance": False}
    train_reward(CONFIG.model_copy(update={**going_on, "learning_rate": 1e-12}), stage)
    before, after = load_file(earlier / "model.safetensors"), load_file(stage.output / "model.safetensors")
    assert before.keys() == after.keys()
    for name, weight in before.items():
        assert torch.allclose(weight, after[name], atol=1e-9), name


def test_a_reward_model_that_reads_other_tokens_is_no_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stage = stage_with(tmp_path, ROWS)
    earlier = tiny_reward_artifact(EARLIER, stage.input("sft"))
    save_tokenizer(tiny_tokenizer(["other words"]), earlier)
    write_manifest(earlier, "reward", {})
    with pytest.raises(ArtifactError, match="have different tokenizers"):
        train_reward(CONFIG.model_copy(update={"start_from": "earlier"}), stage)


def test_adapters_do_not_go_on_from_an_earlier_reward_model() -> None:
    with pytest.raises(SettingsError, match=r"set reward\.start_from to sft, or reward\.tuning to full"):
        parse_settings(RewardConfig, {"start_from": "earlier", "tuning": "lora"}, "here")
