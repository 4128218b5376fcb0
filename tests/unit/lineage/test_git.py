"""Git through its command line, on real repositories."""

from pathlib import Path

import pytest

from stemma.errors import WorkspaceError
from stemma.lineage.git import Git, find_project


@pytest.fixture
def git(tmp_path: Path) -> Git:
    repository = Git(tmp_path)
    repository.run("init", "--quiet")
    for key, value in {"user.name": "t", "user.email": "t@localhost"}.items():
        repository.run("config", key, value)
    return repository


def committed(git: Git, **files: str) -> str:
    for name, content in files.items():
        (git.root / name).write_text(content)
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message", "x")
    return git.head()


def test_a_repository_without_a_commit_is_told_what_to_do(git: Git) -> None:
    with pytest.raises(WorkspaceError, match=r"has no commit yet.*git add -A && git commit"):
        git.head()


def test_the_working_tree_holds_edits_deletions_and_new_code_and_touches_nothing(git: Git) -> None:
    commit = committed(git, a="1", b="2")
    clean = git.working_tree()
    assert clean == git.run("rev-parse", f"{commit}^{{tree}}")
    (git.root / "a").write_text("changed")
    (git.root / "b").unlink()
    (git.root / "tasks").mkdir()
    (git.root / "tasks" / "new.py").write_text("new")
    (git.root / "notes.txt").write_text("not code")
    before = git.run("status", "--short")
    tree = git.working_tree()
    assert git.run("ls-tree", "-r", "--name-only", tree).split() == ["a", "tasks/new.py"]
    assert git.run("show", f"{tree}:a") == "changed"
    assert git.run("status", "--short") == before


def test_many_objects_are_read_in_one_process(git: Git) -> None:
    commit = committed(git, a="one\n", b="")
    names = [f"{commit}:a", f"{commit}:gone", f"{commit}:b"]
    assert git.contents(names) == {names[0]: "one\n", names[1]: None, names[2]: ""}


def test_what_is_no_project_is_said(git: Git) -> None:
    with pytest.raises(WorkspaceError, match=r"is not a Stemma project: it has no dvc\.yaml"):
        find_project(git.root)


def test_a_last_field_that_is_empty_is_a_field(git: Git) -> None:
    commit = committed(git, a="1")
    git.run("update-ref", "refs/exps/aa/bb/bare", commit)
    assert git.refs("refs/exps/*/*/*", ["refname", "contents:body"]) == [["refs/exps/aa/bb/bare", ""]]
