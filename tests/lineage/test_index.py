"""The index holds what Git says, and no more."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stemma.errors import WorkspaceError
from stemma.lineage.git import Git
from stemma.lineage.index import Index
from stemma.lineage.registry import Registry
from tests.family import FamilyProject, Made


def index_file(project: FamilyProject) -> Path:
    return project.path / ".stemma" / "index.db"


def names(project: FamilyProject) -> list[str]:
    with closing(Index(project.path)) as index:
        return [run.name for run in index.runs()]


def test_it_follows_what_is_added_and_removed(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    assert names(project) == []
    first = Made("data", "a" * 32, 1, {})
    for name in ("one", "two"):
        project.run(name, [first])
        assert name in names(project)
    ref = project.git.run("for-each-ref", "--format=%(refname)", "refs/exps/*/*/one")
    project.git.run("update-ref", "-d", ref)
    assert names(project) == ["two"]


def test_an_experiment_of_somebody_else_is_left_out(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    head = project.git.run("rev-parse", "HEAD")
    project.git.run("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/theirs", head)
    assert names(project) == []
    assert names(project) == []


def test_a_damaged_index_is_made_again_and_says_so(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    project.run("one", [Made("data", "a" * 32, 1, {})])
    assert names(project) == ["one"]
    index_file(project).write_bytes(b"not a database at all" * 100)
    said: list[str] = []
    with closing(Index(project.path, said.append)) as index:
        assert [run.name for run in index.runs()] == ["one"]
    assert "is made again" in said[0]


def test_runs_that_share_a_stage_share_its_record(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    data = Made("data", "a" * 32, 1, {})
    one = project.run("one", [data, Made("ppo", "b" * 32, 1, {"artifacts/data": data.artifact})])
    two = project.run("two", [data, Made("ppo", "c" * 32, 1, {"artifacts/data": data.artifact})], ran=["ppo"])
    with closing(Index(project.path)) as index:
        assert index.of_run(one)["data"] == index.of_run(two)["data"]
        assert {d.artifact for _, d in index.made_from([data.artifact])} == {"b" * 32, "c" * 32}
        maker = index.maker("data", data.artifact)
        assert maker
        assert maker.name == "one"


def test_an_index_of_another_version_is_made_again(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    project.run("one", [Made("data", "a" * 32, 1, {})])
    index_file(project).parent.mkdir()
    with closing(sqlite3.connect(index_file(project))) as old:
        old.executescript("create table runs (other text); pragma user_version = 1")
    said: list[str] = []
    with closing(Index(project.path, said.append)) as index:
        assert [run.name for run in index.runs()] == ["one"]
    assert said == []


def test_damage_that_only_a_question_meets_is_mended_too(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    commit = project.run("one", [Made("data", "a" * 32, 1, {})])
    assert names(project) == ["one"]
    with closing(sqlite3.connect(index_file(project))) as db:
        (page,) = db.execute("select rootpage from sqlite_master where name = 'derivations'").fetchone()
        (size,) = db.execute("pragma page_size").fetchone()
    content = index_file(project).read_bytes()
    index_file(project).write_bytes(content[: (page - 1) * size] + b"\xff" * size + content[page * size :])
    said: list[str] = []
    with closing(Index(project.path, said.append)) as index:
        assert said == []
        assert list(index.of_run(commit)) == ["data"]
    assert "was damaged" in said[0]


def test_a_run_that_was_renamed_has_its_new_name(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    commit = project.run("one", [Made("data", "a" * 32, 1, {})])
    assert names(project) == ["one"]
    ref = project.git.run("for-each-ref", "--format=%(refname)", "refs/exps/*/*/one")
    project.git.run("update-ref", ref.removesuffix("one") + "two", commit)
    project.git.run("update-ref", "-d", ref)
    assert names(project) == ["two"]


def test_the_record_that_a_shallow_clone_lacks_is_said_to_be_fetched_and_is_found_then(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    commit = project.run("one", [Made("ppo", "a" * 32, 1, {})])
    Registry(project.path, "policy").register("one", commit, "ppo", "a" * 32)
    clone = Git(tmp_path / "clone")
    project.git.run("clone", "--quiet", "--depth=1", f"file://{project.path}", str(clone.root))
    clone.run("fetch", "--quiet", "--depth=1", "origin", "refs/stemma/*:refs/stemma/*")
    with closing(Index(clone.root)) as index, pytest.raises(WorkspaceError, match="git fetch --unshallow origin"):
        index.run(commit)
    clone.run("fetch", "--quiet", "--unshallow", "origin", "refs/stemma/*:refs/stemma/*")
    with closing(Index(clone.root)) as index:
        assert index.run(commit).name == "one"


def test_what_the_index_knows_of_a_stage_is_what_its_lock_says(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    params = {"sft": {"lr": 1e-5, "files": ["a b", "c: d"], "none": None}, "seed": 3, "text": "two\nlines\n    - and\n"}
    made = Made("sft", "a" * 32, 7, {"inputs": "b" * 32, "artifacts/x": "c" * 32}, {"tasks/sft.py": "d" * 32}, params)
    commit = project.run("one", [made, Made("ppo", "e" * 32, 1, {"artifacts/sft": "a" * 32})])
    with closing(Index(project.path)) as index:
        run = index.run(commit)
        assert {stage: derivation.entry for stage, derivation in index.of_run(commit).items()} == run.lock
        inputs = index.inputs(index.of_run(commit)["sft"])
    assert [(dep.path, dep.is_code) for dep in inputs] == [
        ("artifacts/x", False),
        ("inputs", False),
        ("tasks/sft.py", True),
    ]
