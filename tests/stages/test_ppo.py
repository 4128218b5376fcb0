import hashlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from stemma.config import LoraConfig, Tuning, parse_settings
from stemma.errors import ArtifactError, DataError, SettingsError
from stemma.judging.kinds import write_kind
from stemma.models.policy import load_policy
from stemma.models.tokenizer import build_tokenizer, load_tokenizer, save_tokenizer
from stemma.records.json_file import read_json
from stemma.records.jsonl import write_rows
from stemma.records.types import Prompt
from stemma.training.ppo_watch_settings import WatchSettings
from tasks.ppo import PpoConfig, train_ppo
from tests.killing import finish, kill_after, stop_after
from tests.tiny import MACHINE, tiny_artifact, tiny_prompts, tiny_stage
from tests.tiny_reward import partial_artifact, tiny_reward_artifact

PROJECT = Path(__file__).parents[2]
INPUTS = ("data", "sft", "judge", "reward")
CONFIG = PpoConfig(
    updates=3, rollouts=4, minibatches=2, max_new_tokens=4, learning_rate=1e-3, value_learning_rate=1e-3,
    checkpoint_every=1, watch=WatchSettings(every=2),
)  # fmt: skip
LORA = CONFIG.model_copy(update={"tuning": "lora", "lora": LoraConfig(r=2, alpha=4)})
METRICS = {
    "objective/kl",
    "objective/kl_exact",
    "objective/kl_k3",
    "objective/entropy",
    "objective/scores",
    "objective/rewards",
    "policy/loss",
    "policy/clip_fraction",
    "policy/approx_kl",
    "policy/first_log_ratio",
    "policy/grad_norm",
    "value/loss",
    "value/clip_fraction",
    "value/explained_variance",
    "value/grad_norm",
    "value/learning_rate",
    "response/length",
    "response/finished",
    "learning_rate",
    "watch/scores",
    "watch/judge",
    "watch/kl",
    "watch/length",
    "watch/repetition",
    "watch/entropy",
}
HACKED = PpoConfig(
    updates=30, rollouts=64, minibatches=2, max_new_tokens=4, learning_rate=1e-2, value_learning_rate=1e-2, kl_coef=0,
    missing_eos_penalty=0, checkpoint_every=1, watch=WatchSettings(every=2, patience=2, kl_budget=1e6),
)  # fmt: skip
"""Updates enough to learn to end each answer at once."""
KILLED_RUN = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from stemma.stage.progress import Progress
from stemma.training.ppo_watch_settings import WatchSettings
from tasks.ppo import train_ppo
from tests.stages.test_ppo import CONFIG, INPUTS
from tests.killing import finish, kill_after
from tests.tiny import tiny_stage

class Deadly(Progress):
    def log(self, step, total, metrics):
        super().log(step, total, metrics)
        if step == 3:
            os.kill(os.getpid(), signal.SIGKILL)

stage = tiny_stage(Path(sys.argv[1]), "ppo", INPUTS)
train_ppo(CONFIG, replace(stage, progress=Deadly("ppo", stage.scratch)))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's folder with the artifacts that PPO starts from."""
    artifacts = tmp_path / "artifacts"
    tiny_reward_artifact(artifacts / "reward", tiny_artifact(artifacts / "sft"))
    (artifacts / "judge").mkdir()
    write_kind(artifacts / "judge", "gold")
    write_prompts(tmp_path, tiny_prompts("train") + tiny_prompts("validation") + tiny_prompts("test"))
    return tmp_path


@pytest.fixture
def hackable(tmp_path: Path) -> Path:
    """A reward model that likes an answer to end, where the judge likes it to go on."""
    artifacts = tmp_path / "artifacts"
    sft = tiny_artifact(artifacts / "sft")
    partial_artifact(artifacts / "reward", sft, 1.0)
    partial_artifact(artifacts / "judge", sft, -1.0)
    write_kind(artifacts / "judge", "reward_model")
    asked = [row.model_copy(update={"id": f"{row.id}-{n}"}) for row in tiny_prompts("validation") for n in range(4)]
    write_prompts(tmp_path, tiny_prompts("train") + asked)
    return tmp_path


def write_prompts(root: Path, prompts: Iterable[Prompt]) -> None:
    (root / "artifacts/data").mkdir(exist_ok=True)
    write_rows(root / "artifacts/data/prompts.jsonl", prompts)


def run(root: Path, config: PpoConfig = CONFIG, name: str = "ppo", seed: int = 0) -> Path:
    """Run the stage and return its output."""
    stage = tiny_stage(root, name, INPUTS, seed)
    train_ppo(config, stage)
    stage.progress.write_history(stage.output)
    return stage.output


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_output_is_a_model_with_its_tokenizer_and_history(root: Path) -> None:
    output = run(root)
    policy, tokenizer = load_policy(output, MACHINE), load_tokenizer(output)
    assert tokenizer.chat_template
    sft = load_policy(root / "artifacts/sft", MACHINE).state_dict()
    assert all(not weight.equal(sft[name]) for name, weight in policy.state_dict().items())
    header = (output / "history.csv").read_text().splitlines()[0]
    assert set(header.split(",")) == METRICS | {"step"}


@pytest.mark.parametrize("config", [CONFIG, LORA], ids=["full", "lora"])
def test_the_same_key_gives_the_same_bytes_and_another_seed_others(root: Path, config: PpoConfig) -> None:
    first, again, other = run(root, config, "a"), run(root, config, "b"), run(root, config, "c", seed=1)
    assert hashes(first) == hashes(again)
    assert hashes(first) != hashes(other)


def test_a_run_that_was_killed_ends_with_the_bytes_of_one_that_was_not(root: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, str(root)], cwd=PROJECT, check=False, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (root / "scratch/ppo/checkpoints/checkpoint-2").is_dir()
    assert not list((root / "artifacts/ppo.tmp").iterdir())
    shutil.rmtree(root / "artifacts/ppo.tmp")
    assert hashes(run(root)) == hashes(run(root, name="straight"))


def test_out_of_budget_it_stops_without_losing_an_update(root: Path) -> None:
    config = CONFIG.model_copy(update={"checkpoint_every": 3})
    stop_after(2, lambda stage: train_ppo(config, stage), tiny_stage(root, "ppo", INPUTS))
    assert (root / "scratch/ppo/checkpoints/checkpoint-2").is_dir()
    shutil.rmtree(root / "artifacts/ppo.tmp")
    assert hashes(run(root, config)) == hashes(run(root, config, name="straight"))


def test_where_the_judge_falls_it_is_stopped_and_the_best_looks_policy_is_saved(hackable: Path) -> None:
    stage = tiny_stage(hackable, "ppo", INPUTS)
    metrics = train_ppo(HACKED, stage)
    looks = [row for row in stage.progress.rows() if "watch/judge" in row]
    assert [row["step"] for row in looks] == list(range(0, 2 * len(looks), 2))
    assert len(looks) < 16
    assert looks[-1]["watch/judge"] < looks[0]["watch/judge"]
    assert looks[-1]["watch/scores"] > looks[0]["watch/scores"]
    best = max(looks, key=lambda row: row["watch/judge"])
    assert metrics == {"watch/stopped": 1, "watch/saved_update": best["step"]}
    told = read_json(stage.output / "watch.json")
    assert (told["stopped"], told["saved_update"], told["judge"]) == ("judge", best["step"], "reward_model")
    assert f"stops training after update {looks[-1]['step']:.0f} of 30: since update" in told["message"]
    assert all(prompt.startswith("validation-") for prompt in told["prompts"])
    assert best["step"] == 0
    assert same_weights(stage.output, hackable / "artifacts/sft")


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_out_of_its_budget_the_kl_stops_it(tuning: Tuning, hackable: Path) -> None:
    watch = WatchSettings(every=1, patience=100, kl_budget=0.05)
    stage = tiny_stage(hackable, "ppo", INPUTS)
    metrics = train_ppo(HACKED.model_copy(update={"watch": watch, "tuning": tuning}), stage)
    kls = [row["watch/kl"] for row in stage.progress.rows()]
    assert max(kls[:-1]) <= 0.05 < kls[-1]
    assert metrics == {"watch/stopped": 2, "watch/saved_update": 0}  # no look was liked better than the first
    assert same_weights(stage.output, hackable / "artifacts/sft")


def same_weights(one: Path, other: Path) -> bool:
    """Whether two policies are the same, adapters merged."""
    first, second = (load_policy(folder, MACHINE).state_dict() for folder in (one, other))
    return all(weight.equal(second[name]) for name, weight in first.items())


def test_killed_before_it_is_stopped_it_ends_with_the_same_bytes(hackable: Path) -> None:
    stage = tiny_stage(hackable, "ppo", INPUTS)
    undisturbed = finish(lambda stage: train_ppo(HACKED, stage), stage)
    kill_after(3, lambda stage: train_ppo(HACKED, stage), stage)
    assert (stage.scratch / "checkpoints/checkpoint-2").is_dir()
    assert finish(lambda stage: train_ppo(HACKED, stage), stage) == undisturbed


def test_a_watch_changes_nothing_of_what_is_learned(root: Path) -> None:
    unwatched = run(root, CONFIG.model_copy(update={"watch": WatchSettings(every=0)}), "unwatched")
    watched = run(root, CONFIG, "watched")
    assert (watched / "model.safetensors").read_bytes() == (unwatched / "model.safetensors").read_bytes()
    assert read_json(watched / "watch.json")["saved_update"] == 3
    assert not (unwatched / "watch.json").exists()


def test_without_validation_prompts_there_is_nothing_to_watch(root: Path) -> None:
    write_prompts(root, tiny_prompts("train") + tiny_prompts("test"))
    with pytest.raises(DataError, match=r"has 0 prompts of split validation, .* ppo\.watch\.every=0"):
        run(root)


def test_adapters_are_saved_alone_and_load_over_the_sft_model(root: Path) -> None:
    output = run(root, LORA)
    assert {"adapter_model.safetensors", "base.json"} <= set(hashes(output))
    assert "model.safetensors" not in hashes(output)
    policy = load_policy(output, MACHINE)
    sft = load_policy(root / "artifacts/sft", MACHINE).state_dict()
    assert not all(weight.equal(sft[name]) for name, weight in policy.state_dict().items())


def test_only_training_prompts_are_used(root: Path) -> None:
    write_prompts(root, tiny_prompts("test"))
    with pytest.raises(DataError, match=r"prompts\.jsonl has no prompt of split train"):
        run(root)


def test_a_prompt_longer_than_the_context_is_named(root: Path) -> None:
    long = tiny_prompts()[0].model_copy(update={"id": "long", "messages": tiny_prompts()[0].messages * 30})
    write_prompts(root, [*tiny_prompts(), long])
    with pytest.raises(DataError, match=r"The longest is long"):
        run(root)


def test_a_reward_model_with_another_tokenizer_is_refused(root: Path) -> None:
    save_tokenizer(build_tokenizer(["quite other words"], 300), root / "artifacts/reward")
    with pytest.raises(ArtifactError, match=r"sft and .*reward have different tokenizers"):
        run(root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", r"scaling\.json does not hold a mean and a std"),
        ("nonsense", r"scaling\.json does not hold a mean and a std"),
        (json.dumps({"mean": 0.0, "std": 0.0}), r"scores every answer alike \(std 0\.0\)"),
    ],
)
def test_unusable_scaling_is_told(root: Path, content: str, message: str) -> None:
    (root / "artifacts/reward/scaling.json").write_text(content)
    with pytest.raises(ArtifactError, match=message):
        run(root)


def test_settings_out_of_range_are_all_told_at_once() -> None:
    with pytest.raises(SettingsError, match=r"(?s)clip_range.*temperature.*tunning: unknown key; did you mean tuning"):
        parse_settings(PpoConfig, {"clip_range": 0, "temperature": 0, "tunning": "full"}, "params.yaml, section ppo,")


def test_settings_import_without_torch() -> None:
    program = "import sys, tasks.ppo; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=False).returncode == 0
