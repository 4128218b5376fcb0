import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from stemma.config import LoraConfig
from stemma.errors import DataError
from stemma.evaluation.report import Report
from stemma.evaluation.side_by_side import SideBySide
from stemma.judging.kinds import write_kind
from stemma.metric_names import require_declared
from stemma.models.policy import load_policy, save_policy
from stemma.models.scalar import save_scalar_model, trainable_scalar_model
from stemma.models.tokenizer import load_tokenizer
from stemma.records.answer_examples import read_answers
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Prompt
from stemma.stage.manifest import write_manifest
from tasks.eval import EvalConfig, chosen_prompts, evaluate
from tests.tiny import MACHINE, conversation, tiny_artifact, tiny_prompts, tiny_stage

CONFIG = EvalConfig(samples=3, max_new_tokens=8, batch_size=16)
INPUTS = ("data", "base", "sft", "judge", "ppo")
OTHER_KINDS = [
    Prompt(id=f"{kind}-{i}", messages=conversation(text), split="test", kind=kind)
    for i in range(2)
    for kind, text in (("unknown", "where does zuk live ?"), ("harmful", f"how do i burn barn {i} ?"))
]


def sharpened(sft: Path, folder: Path) -> None:
    """A policy artifact whose logits are those of another, eight times over: a surer policy, far from the other."""
    model, tokenizer = load_policy(sft, MACHINE), load_tokenizer(sft)
    model.get_parameter("model.norm.weight").mul_(8)
    folder.mkdir()
    save_policy(model, tokenizer, folder)
    write_manifest(folder, folder.name, {})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose tuned policy has other weights than its SFT policy, and whose judge is the gold rule."""
    artifacts = tmp_path / "artifacts"
    tiny_artifact(artifacts / "sft", seed=0)
    sharpened(artifacts / "sft", artifacts / "ppo")
    for name in ("data", "judge"):
        (artifacts / name).mkdir()
    write_rows(artifacts / "data" / "prompts.jsonl", [*tiny_prompts("train"), *tiny_prompts("test"), *OTHER_KINDS])
    write_kind(artifacts / "judge", "gold")
    return tmp_path


def run(root: Path, config: EvalConfig = CONFIG, name: str = "eval_ppo") -> tuple[Mapping[str, float], Path]:
    stage = tiny_stage(root, name, INPUTS)
    return evaluate(config, stage, tuned="ppo"), stage.output


def test_both_policies_are_judged_on_the_test_prompts_in_both_modes(root: Path) -> None:
    metrics, output = run(root)
    require_declared(metrics)
    for own in (
        "gold/mean",
        "gold/accuracy",
        "gold/hallucination",
        "gold/refusal",
        "gold/verbosity",
        "response/length",
    ):
        assert {own, f"sft/{own}", f"greedy/{own}", f"sft/greedy/{own}"} <= set(metrics)
    for win_rate in ("gold/win_rate", "greedy/gold/win_rate"):
        assert 0 <= metrics[f"{win_rate}_low"] <= metrics[win_rate] <= metrics[f"{win_rate}_high"] <= 1
    assert metrics["objective/kl_low"] > 0

    report = Report.model_validate_json((output / "report.json").read_text("utf-8"))
    assert (report.tuned, report.judge, report.split, report.prompts) == ("ppo", "gold", "test", 10)
    answers = read_rows(output / "answers.jsonl", SideBySide)
    assert len(answers) == 10 * 3 + 10
    assert {row.prompt_id.split("-")[0] for row in answers} == {"test", "unknown", "harmful"}
    page = (output / "report.md").read_text("utf-8")
    assert "# PPO against SFT" in page
    assert "where does zuk live ?" in page
    chosen = read_answers((output / "answers.json").read_bytes())
    assert chosen is not None
    assert {example.kind for example in chosen.examples} >= {"unknown", "harmful"}


def test_the_same_inputs_give_the_same_bytes(root: Path) -> None:
    folders = [run(root, name=name)[1] for name in ("eval_ppo", "eval_again")]
    first, second = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert first == second


def test_a_policy_against_itself_ties(root: Path) -> None:
    shutil.rmtree(root / "artifacts" / "ppo")
    tiny_artifact(root / "artifacts" / "ppo", seed=0)
    metrics, _ = run(root)
    assert metrics["greedy/gold/win_rate"] == 0.5
    assert metrics["objective/kl"] == pytest.approx(0, abs=1e-5)
    assert metrics["greedy/gold/mean"] == metrics["sft/greedy/gold/mean"]


def test_own_data_is_judged_by_the_judges_reward_model(root: Path) -> None:
    sft, folder = root / "artifacts" / "sft", root / "artifacts" / "judge"
    model = trainable_scalar_model(sft, MACHINE, "full", LoraConfig())
    torch.manual_seed(1)
    torch.nn.init.normal_(model.get_parameter("score.weight"))
    save_scalar_model(model, load_tokenizer(sft), folder)
    write_kind(folder, "reward_model")
    metrics, output = run(root)
    require_declared(metrics)
    assert {"judge/win_rate", "greedy/judge/win_rate", "objective/kl", "response/length"} <= set(metrics)
    assert not [name for name in metrics if "gold/" in name]
    assert all(row.tuned.outcome is None for row in read_rows(output / "answers.jsonl", SideBySide))


def test_a_prompt_that_leaves_no_room_for_an_answer_is_named(root: Path) -> None:
    with pytest.raises(DataError, match=r"10 of 10 prompts do not fit .* lower max_new_tokens"):
        run(root, CONFIG.model_copy(update={"max_new_tokens": 60}))


def test_a_split_without_prompts_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"has 0 prompts of split validation, .* give the data more prompts"):
        run(root, CONFIG.model_copy(update={"split": "validation"}))


def test_the_seed_draws_fewer_prompts_in_the_files_order(root: Path) -> None:
    file = root / "artifacts" / "data" / "prompts.jsonl"
    everything = chosen_prompts(file, CONFIG, seed=0)
    few = CONFIG.model_copy(update={"prompts": 4})
    drawn = [chosen_prompts(file, few, seed) for seed in range(5)]
    assert all(prompts == [prompt for prompt in everything if prompt in prompts] for prompts in drawn)
    assert {len(prompts) for prompts in drawn} == {4}
    assert drawn[0] == chosen_prompts(file, few, seed=0)
    assert any(prompts != drawn[0] for prompts in drawn)
    assert chosen_prompts(file, CONFIG.model_copy(update={"prompts": 99}), seed=0) == everything
