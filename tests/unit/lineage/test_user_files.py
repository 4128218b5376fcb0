"""The user's files keep their names; files of one name are told apart by their folders."""

from pathlib import Path

import pytest

from stemma.errors import DataError
from stemma.lineage.dvc import run_dvc
from stemma.lineage.git import Git
from stemma.lineage.user_files import DATA, check_files, input_names, take_in


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["/x/a/rows.jsonl", "/x/b/more.jsonl"], ["rows.jsonl", "more.jsonl"]),
        (["/x/a/rows.jsonl", "/x/b/rows.jsonl", "/x/c.json"], ["a-rows.jsonl", "b-rows.jsonl", "c.json"]),
        (["/x/a/data/rows.jsonl", "/x/b/data/rows.jsonl"], ["a-data-rows.jsonl", "b-data-rows.jsonl"]),
        (["/a/rows.jsonl", "/rows.jsonl"], ["a-rows.jsonl", "rows.jsonl"]),
        (["/a/rows.jsonl", "/b/rows.jsonl", "/c/a-rows.jsonl"], ["a-rows.jsonl", "b-rows.jsonl", "c-a-rows.jsonl"]),
        (["/a/rows.jsonl", "/a/rows.jsonl"], ["a-rows.jsonl", "a-rows-2.jsonl"]),
        (
            ["/x/a/rows.jsonl", "/x/b/rows.jsonl", "/x/a-rows.jsonl", "/x-a-rows-2.jsonl"],
            ["x-a-rows.jsonl", "b-rows.jsonl", "x-a-rows-3.jsonl", "x-a-rows-2.jsonl"],
        ),
        ([], []),
    ],
)
def test_files_of_one_name_have_the_names_of_their_folders(files: list[str], names: list[str]) -> None:
    assert input_names([Path(file) for file in files]) == names


def test_files_of_one_name_are_both_taken_in(tmp_path: Path) -> None:
    files = [tmp_path / folder / "rows.jsonl" for folder in ("pairs", "texts")]
    for file in files:
        file.parent.mkdir()
        file.write_text(file.parent.name)
    worktree = tmp_path / "worktree"
    (worktree / DATA).mkdir(parents=True)
    Git(worktree).run("init", "--quiet")
    run_dvc(worktree, "init", "--quiet")
    check_files(files)
    take_in(worktree, files)
    for name in ("pairs", "texts"):
        assert (worktree / DATA / f"{name}-rows.jsonl").read_text() == name
        assert (worktree / DATA / f"{name}-rows.jsonl.dvc").is_file()


def test_what_cannot_be_taken_in_is_told_at_once(tmp_path: Path) -> None:
    file, absent = tmp_path / "rows.jsonl", tmp_path / "absent.jsonl"
    file.write_text("")
    with pytest.raises(DataError) as caught:
        check_files([file, tmp_path, file, absent])
    assert str(caught.value).splitlines() == [
        "data.files names files that cannot be taken in:",
        f"  {tmp_path}: it is a folder; name each file in it",
        f"  {absent}: no such file",
        f"  {file}: it is named twice; name it once",
    ]
