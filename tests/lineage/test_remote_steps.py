"""Step checkpoints on a real DVC remote: what one clone sends, another goes on from."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stemma.errors import WorkspaceError
from stemma.lineage.dvc import Pipeline, run_dvc
from stemma.lineage.exchange import Exchange
from stemma.lineage.remote_steps import RemoteSteps
from stemma.stage.steps import MARK, has_whole_checkpoint, resumable
from tests.family import FamilyProject

NAME = "ppo-0123456789abcdef"


@pytest.fixture
def clones(tmp_path: Path) -> Iterator[tuple[RemoteSteps, RemoteSteps]]:
    """The steps of two projects that have one remote."""
    projects = [FamilyProject(tmp_path / name) for name in ("one", "two")]
    for project in projects:
        run_dvc(project.path, "remote", "add", "--default", "store", str(tmp_path / "store"))
    with closing(RemoteSteps(projects[0].path)) as one, closing(RemoteSteps(projects[1].path)) as two:
        yield one, two


def checkpoint(scratch: Path, step: int, whole: bool = True) -> None:
    folder = scratch / "checkpoints" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "state.pt").write_bytes(bytes([step]) * 1000)
    if whole:
        (folder / MARK).touch()


def history(scratch: Path, steps: int) -> None:
    (scratch / "history.jsonl").write_text("".join(f'{{"step": {step + 1}}}\n' for step in range(steps)))


def test_a_stage_that_was_killed_before_its_first_checkpoint_has_none(tmp_path: Path) -> None:
    history(tmp_path, 3)
    checkpoint(tmp_path, 5, whole=False)
    assert not has_whole_checkpoint(tmp_path)
    checkpoint(tmp_path, 10)
    assert has_whole_checkpoint(tmp_path)


def test_what_a_stage_goes_on_from(tmp_path: Path) -> None:
    checkpoint(tmp_path, 2)
    checkpoint(tmp_path, 10)
    checkpoint(tmp_path, 11, whole=False)
    (tmp_path / "checkpoints" / "writing-12").mkdir()
    (tmp_path / "checkpoints" / "writing-12" / "state.pt").touch()
    (tmp_path / "responses-0.jsonl").touch()
    (tmp_path / "responses-1.writing").touch()
    history(tmp_path, 11)
    newest = "checkpoints/checkpoint-10"
    assert [str(file) for file in resumable(tmp_path)] == [
        f"{newest}/state.pt", f"{newest}/{MARK}", "history.jsonl", "responses-0.jsonl",
    ]  # fmt: skip


def test_another_clone_goes_on_from_the_newest(clones: tuple[RemoteSteps, RemoteSteps], tmp_path: Path) -> None:
    one, two = clones
    sent, taken = tmp_path / "a" / NAME, tmp_path / "b" / NAME
    assert not two.pull(taken)
    sent.mkdir(parents=True)
    history(sent, 3)
    checkpoint(sent, 2)
    assert one.push(sent)
    history(sent, 4)
    assert not one.push(sent), "the history alone is nothing to go on from"
    checkpoint(sent, 4)
    assert one.push(sent)
    assert two.pull(taken)
    assert {file: (taken / file).read_bytes() for file in resumable(taken)} == {
        file: (sent / file).read_bytes() for file in resumable(sent)
    }
    assert not two.push(taken), "it is there already"
    checkpoint(taken, 6)
    assert two.push(taken)
    one.drop(NAME)
    assert not two.pull(tmp_path / "c" / NAME)


def test_a_pack_that_was_cut_short_does_not_count(clones: tuple[RemoteSteps, RemoteSteps], tmp_path: Path) -> None:
    one, two = clones
    sent, taken = tmp_path / "a" / NAME, tmp_path / "b" / NAME
    checkpoint(sent, 2)
    one.push(sent)
    folder = tmp_path / "store" / "steps" / NAME
    (folder / "2.tar").write_bytes(b"cut short")
    assert two.pull(taken)
    assert (taken / "checkpoints" / "checkpoint-2" / MARK).exists()
    (folder / "2.tar.whole").touch()
    with pytest.raises(WorkspaceError, match=r"2\.tar on the DVC remote is damaged"):
        two.pull(taken)
    assert (taken / "checkpoints" / "checkpoint-2" / MARK).exists()


def test_a_pack_writes_nowhere_else(clones: tuple[RemoteSteps, RemoteSteps], tmp_path: Path) -> None:
    _, two = clones
    folder = tmp_path / "store" / "steps" / NAME
    folder.mkdir(parents=True)
    with tarfile.open(folder / "1.tar", "w") as packed:
        packed.addfile(tarfile.TarInfo("../../out"), io.BytesIO())
    (folder / "1.tar.whole").touch()
    with pytest.raises(WorkspaceError, match="damaged"):
        two.pull(tmp_path / "b" / "c" / NAME)
    assert not (tmp_path / "b" / "out").exists()


def test_a_stage_that_began_here_is_gone_on_with_whatever_lies_beside_its_checkpoints(tmp_path: Path) -> None:
    """Where no checkpoint is whole, the remote is asked; a file in the scratch folder is no folder of checkpoints."""
    project = FamilyProject(tmp_path / "project")
    (project.path / "dvc.yaml").write_text("stages: {ppo: {cmd: python work, deps: [work], outs: [artifacts/ppo]}}")
    (project.path / "work").touch()
    run_dvc(project.path, "remote", "add", "--default", "store", str(tmp_path / "store"))
    scratch = tmp_path / "scratch" / NAME
    checkpoint(scratch, 3, whole=False)
    history(scratch, 3)
    said: list[str] = []
    Exchange(project.path, said.append, sends_steps=True).begin(Pipeline(project.path), "ppo", scratch)
    assert not said
