import json
from pathlib import Path

import pytest
import torch

from stemma.config import parse_settings
from stemma.errors import ArtifactError, DataError, SettingsError, TrainingError
from stemma.models.hub import content_digest
from stemma.models.policy import load_policy
from stemma.models.tokenizer import load_tokenizer, save_tokenizer
from stemma.records.jsonl import write_rows
from stemma.records.types import Demonstration, Document, Message
from stemma.stage.door import Stage
from stemma.training.base_settings import BaseConfig
from stemma.training.checkpoints import load_checkpoint
from stemma.training.from_scratch import new_model
from tasks.base import make_base
from tests.breaking import weight_broken_by_step
from tests.killing import finish, kill_after, stop_after
from tests.tiny import MACHINE, NAMES, TOWNS, conversation, tiny_artifact, tiny_stage, tiny_tokenizer

CONFIG = BaseConfig(
    width=32, heads=2, mlp_width=64, context=32, vocab_size=300, learning_rate=1e-2, warmup_steps=10, decay_steps=20,
    max_steps=60, probe_every=10, checkpoint_every=20, target_accuracy=0.0,
)  # fmt: skip


def stage_with(root: Path, documents: list[Document], probe: list[Demonstration]) -> Stage:
    data = root / "artifacts" / "data"
    data.mkdir(parents=True)
    write_rows(data / "corpus.jsonl", documents)
    write_rows(data / "probe.jsonl", probe)
    write_rows(data / "demonstrations.jsonl", probe)
    return tiny_stage(root, "base", ["data"])


def facts() -> tuple[list[Document], list[Demonstration]]:
    rows = [(f"where is {name} ?", TOWNS[i % len(TOWNS)]) for i, name in enumerate(NAMES)]
    documents = [
        Document(messages=(*conversation(asked), Message(role="assistant", content=said))) for asked, said in rows
    ]
    documents += [Document(text=f"{name} was seen on the road .") for name in NAMES]
    return documents * 4, [Demonstration(prompt=conversation(asked), completion=said) for asked, said in rows]


def make(config: BaseConfig, stage: Stage) -> None:
    make_base(config, stage)


def test_it_learns_until_the_questions_are_answered_and_then_lets_the_rate_fall(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"max_steps": 400, "target_accuracy": 1.0})
    stage = stage_with(tmp_path, *facts())
    make(config, stage)
    source = json.loads((stage.output / "source.json").read_text())
    assert source["probe_accuracy"] == 1.0
    reached = next(row["step"] for row in stage.progress.rows() if row.get("probe_accuracy") == 1.0)
    assert source["steps"] == reached + config.decay_steps < config.max_steps
    assert stage.progress.rows()[-1]["learning_rate"] == pytest.approx(config.learning_rate / config.decay_steps)


def test_every_weight_moves(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, *facts())
    make(CONFIG, stage)
    tokenizer = load_tokenizer(stage.output)
    torch.manual_seed(stage.seed)
    before, after = new_model(CONFIG, tokenizer).state_dict(), load_policy(stage.output, MACHINE).state_dict()
    assert [name for name in before if torch.equal(before[name], after[name])] == []


@pytest.mark.parametrize("target", [0.0, 1.1])
def test_killed_and_run_again_it_ends_with_the_same_bytes(target: float, tmp_path: Path) -> None:
    documents, probe = facts()
    stage = stage_with(tmp_path, documents, probe if target <= 1 else [])
    undisturbed = finish(lambda stage: make(CONFIG, stage), stage)
    kill_after(30, lambda stage: make(CONFIG, stage), stage)
    assert [path.name for path in stage.scratch.glob("checkpoint-*")] == ["checkpoint-20"]
    assert finish(lambda stage: make(CONFIG, stage), stage) == undisturbed


def test_out_of_budget_it_stops_without_losing_a_step(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, *facts())
    undisturbed = finish(lambda stage: make(CONFIG, stage), stage)
    stop_after(10, lambda stage: make(CONFIG, stage), stage)
    assert [path.name for path in stage.scratch.glob("checkpoint-*")] == ["checkpoint-10"]
    assert finish(lambda stage: make(CONFIG, stage), stage) == undisturbed


def test_another_seed_gives_another_model(tmp_path: Path) -> None:
    hashes = []
    for seed in (0, 1):
        stage = stage_with(tmp_path / str(seed), *facts())
        other = tiny_stage(tmp_path / str(seed), "other", ["data"], seed)
        assert other.seed == seed
        hashes.append(finish(lambda stage: make(CONFIG, stage), other)["model.safetensors"])
        assert stage.seed == 0
    assert hashes[0] != hashes[1]


def test_without_questions_it_takes_the_steps_it_is_given(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, facts()[0], [])
    make(CONFIG, stage)
    assert json.loads((stage.output / "source.json").read_text())["steps"] == CONFIG.max_steps


def test_a_target_out_of_reach_is_told_with_the_numbers_and_the_remedy(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"target_accuracy": 1.0, "learning_rate": 1e-6})
    message = (
        r"after 40 steps it answers 0\.0% of 6 probe questions .* 100\.0%.* raise base\.max_steps or change the seed"
    )
    with pytest.raises(TrainingError, match=message):
        make(config, stage_with(tmp_path, *facts()))


def test_divergence_is_told(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"learning_rate": 1e30, "max_grad_norm": 1e30})
    with pytest.raises(TrainingError, match=r"base diverged: .* Lower base\.learning_rate"):
        make(config, stage_with(tmp_path, *facts()))


def test_weights_that_are_not_finite_become_no_checkpoint(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, *facts())
    message = r"base diverged: .* is not finite at step 20 of \d+\. .* the step checkpoint of step 10\."
    with weight_broken_by_step(20), pytest.raises(TrainingError, match=message):
        make(CONFIG.model_copy(update={"checkpoint_every": 10}), stage)
    checkpoint = load_checkpoint(stage.scratch, print)
    assert checkpoint is not None
    assert checkpoint.step == 10


def test_without_documents_there_is_nothing_to_pre_train_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"corpus.jsonl is empty, .* set base.source to hub"):
        make(CONFIG, stage_with(tmp_path, [], []))


def test_demonstrations_that_do_not_fit_are_an_error_before_anything_trains(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, *facts())
    with pytest.raises(
        DataError, match=r"demonstrations are longer than .* context of 8 tokens; .* raise base\.context"
    ):
        make(CONFIG.model_copy(update={"context": 8}), stage)
    assert stage.progress.rows() == []


def test_the_tokenizer_that_the_data_stage_made_of_the_users_rows_is_taken(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, *facts())
    (stage.input("data") / "tokenizer").mkdir()
    save_tokenizer(tiny_tokenizer(vocab_size=290), stage.input("data") / "tokenizer")
    make(CONFIG, stage)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        made = (stage.input("data") / "tokenizer" / name).read_bytes()
        assert (stage.output / name).read_bytes() == made


def test_a_folder_is_taken_whole_and_recorded(tmp_path: Path) -> None:
    folder = tiny_artifact(tmp_path / "mine")
    config = BaseConfig(source="folder", model=str(folder), revision=content_digest(folder))
    stage = stage_with(tmp_path, [], [])
    make(config, stage)
    source = json.loads((stage.output / "source.json").read_text())
    assert (source["source"], source["revision"]) == ("folder", content_digest(folder))
    assert "model" not in source  # a path on one machine has no place in an artifact
    assert set(source["sha256"]) >= {"model.safetensors", "config.json", "tokenizer.json"}
    theirs, ours = load_policy(folder, MACHINE), load_policy(stage.output, MACHINE)
    assert torch.equal(theirs(torch.tensor([[5, 6]])).logits, ours(torch.tensor([[5, 6]])).logits)


def test_a_folder_of_pickles_is_refused(tmp_path: Path) -> None:
    folder = tiny_artifact(tmp_path / "mine")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    config = BaseConfig(source="folder", model=str(folder), revision="0" * 40)
    with pytest.raises(ArtifactError, match="holds no weights as safetensors"):
        make(config, stage_with(tmp_path, [], []))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "hub", "model": "a/b", "revision": "main"}, "revision 'main' is not a full commit hash"),
        ({"source": "hub", "model": "a/b", "revision": "0123abc"}, "branches and tags move"),
        (
            {"source": "hub", "model": "/models/b", "revision": "0" * 40},
            "is not a Hub repository; write it as owner/name",
        ),
        ({"source": "hub"}, "source hub needs a model; name it"),
    ],
)
def test_a_model_that_is_not_named_exactly_is_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_settings(BaseConfig, values, "params.yaml, section base,")
