"""The index holds what Git says, and no more."""

from contextlib import closing
from pathlib import Path

from stemma.lineage.index import Index
from tests.family import FamilyProject, Made


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
    file = project.path / ".stemma" / "index.db"
    file.write_bytes(b"not a database at all" * 100)
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
