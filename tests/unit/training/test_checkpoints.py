import shutil
from pathlib import Path

import pytest
import torch

from stemma.stage.steps import drop_cut_short, last_whole_checkpoint, mark_whole, step_of
from stemma.training.checkpoints import load_checkpoint, save_checkpoint


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    save_checkpoint(
        tmp_path, 7, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "falls_after": None}
    )
    checkpoint = load_checkpoint(tmp_path, print)
    assert checkpoint is not None
    assert checkpoint.step == 7
    assert checkpoint.state["falls_after"] is None
    assert torch.equal(checkpoint.state["model"]["weight"], model.weight)
    assert checkpoint.state["optimizer"]["state"][0]["step"] == 1


def test_only_the_newest_is_kept_and_steps_are_numbers_not_words(tmp_path: Path) -> None:
    for step in (90, 100):
        save_checkpoint(tmp_path, step, {"step": step})
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-100"]
    checkpoint = load_checkpoint(tmp_path, print)
    assert checkpoint is not None
    assert checkpoint.state == {"step": 100}


def test_a_checkpoint_cut_short_by_a_kill_does_not_count_and_is_dropped(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 10, {"step": 10})
    for name in ("checkpoint-20", "writing-30"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.pt").write_bytes(b"half")
    checkpoint = load_checkpoint(tmp_path, print)
    assert checkpoint is not None
    assert checkpoint.step == 10
    drop_cut_short(tmp_path)
    assert not (tmp_path / "checkpoint-20").exists()


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    for value in (1, 2):
        save_checkpoint(tmp_path, 10, {"value": value})
    checkpoint = load_checkpoint(tmp_path, print)
    assert checkpoint is not None
    assert checkpoint.state == {"value": 2}


def test_a_trainers_checkpoint_counts_once_it_is_marked(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-40"
    folder.mkdir()
    assert last_whole_checkpoint(tmp_path) is None
    mark_whole(folder)
    assert last_whole_checkpoint(tmp_path) == folder
    assert step_of(folder) == 40


def test_before_the_first_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "absent", print) is None
    drop_cut_short(tmp_path / "absent")


@pytest.mark.parametrize("damage", [0, 100, None])
def test_a_checkpoint_that_cannot_be_read_is_told_and_does_not_count(tmp_path: Path, damage: int | None) -> None:
    folder, said = tmp_path / "steps", list[str]()
    save_checkpoint(folder, 10, {"step": 10})
    shutil.copytree(folder / "checkpoint-10", tmp_path / "checkpoint-10")
    save_checkpoint(folder, 20, {"step": 20})
    state = folder / "checkpoint-20" / "state.pt"
    state.write_bytes(bytes(state.stat().st_size) if damage is None else state.read_bytes()[:damage])
    assert load_checkpoint(folder, said.append) is None
    (line,) = said
    assert line.startswith(f"{folder / 'checkpoint-20'} cannot be read, and does not count: ")
    shutil.copytree(tmp_path / "checkpoint-10", folder / "checkpoint-10")
    older = load_checkpoint(folder, said.append)
    assert older is not None
    assert older.state == {"step": 10}
