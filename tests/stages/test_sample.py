from pathlib import Path

import pytest

from stemma.errors import DataError
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Prompt, Response
from stemma.sampling import collection
from stemma.stage.door import Stage
from tasks.sample import SampleConfig, chosen_prompts, sample_answers
from tests.killing import finish, kill_after
from tests.tiny import conversation, tiny_artifact, tiny_prompts, tiny_stage

CONFIG = SampleConfig(responses=2, max_new_tokens=6, batch_size=4)
PROMPTS = [prompt for split in ("train", "judge", "validation", "test") for prompt in tiny_prompts(split)]


def stage_with(root: Path, prompts: list[Prompt]) -> Stage:
    tiny_artifact(root / "artifacts" / "sft")
    data = root / "artifacts" / "data"
    data.mkdir()
    write_rows(data / "prompts.jsonl", prompts)
    return tiny_stage(root, "sample", ["data", "sft"])


def answers(stage: Stage) -> list[Response]:
    return read_rows(stage.output / "responses.jsonl", Response)


def test_every_prompt_is_answered_as_often_as_told(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, PROMPTS)
    sample_answers(CONFIG, stage)
    splits = ("train", "judge", "validation", "test")
    asked = [prompt.id for split in splits for prompt in PROMPTS if prompt.split == split]
    assert [(row.prompt_id, row.index) for row in answers(stage)] == [(name, i) for name in asked for i in range(2)]
    pairs = zip(answers(stage)[::2], answers(stage)[1::2], strict=True)
    assert any(one.text != other.text for one, other in pairs)


def test_the_first_so_many_prompts_of_a_split_are_taken() -> None:
    config = SampleConfig(train_prompts=2, held_out_prompts=1)
    assert [prompt.id for prompt in chosen_prompts(PROMPTS, config)] == [
        "train-bok", "train-dari", "judge-bok", "validation-bok", "test-bok"
    ]  # fmt: skip


def test_killed_and_run_again_it_gives_the_same_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "CHUNK", 4)
    stage = stage_with(tmp_path, PROMPTS)
    undisturbed = finish(lambda stage: sample_answers(CONFIG, stage), stage)
    kill_after(2, lambda stage: sample_answers(CONFIG, stage), stage)
    assert sorted(path.name for path in stage.scratch.glob("responses*")) == ["responses-0.jsonl", "responses-1.jsonl"]
    assert finish(lambda stage: sample_answers(CONFIG, stage), stage) == undisturbed


def test_labels_that_the_data_holds_need_no_answers(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, [])
    sample_answers(CONFIG.model_copy(update={"responses": 0}), stage)
    assert answers(stage) == []


def test_without_prompts_there_is_nothing_to_answer(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"prompts.jsonl has no prompts to answer: .* set sample.responses to 0"):
        sample_answers(CONFIG, stage_with(tmp_path, []))


def test_a_prompt_that_leaves_no_room_for_an_answer_is_named(tmp_path: Path) -> None:
    long = Prompt(id="long", messages=conversation("live " * 70), split="train")
    with pytest.raises(DataError, match=r"1 of 7 prompts .* The longest is long: 7\d tokens, so it may have 58"):
        sample_answers(CONFIG, stage_with(tmp_path, [*tiny_prompts(), long]))
