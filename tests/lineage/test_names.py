"""What a person may call a model, and what each name means."""

from contextlib import closing
from pathlib import Path

import pytest

from stemma.errors import WorkspaceError
from stemma.lineage.index import Index
from stemma.lineage.names import Model, find_model
from stemma.lineage.registry import Registry
from tests.family import FamilyProject, Made


@pytest.fixture
def project(tmp_path: Path) -> FamilyProject:
    """`calm` made a policy, `wild` another from the same data."""
    project = FamilyProject(tmp_path / "project")
    data = project.artifact("data", {"rows.jsonl": b"{}\n"})
    for name in ("calm", "wild"):
        ppo = project.artifact("ppo", {"model.safetensors": name.encode()})
        stages = [Made("data", data, 3, {"inputs": "0" * 32 + ".dir"}), Made("ppo", ppo, 4, {"artifacts/data": data})]
        commit = project.run(name, stages, ran=["data", "ppo"] if name == "calm" else ["ppo"])
        Registry(project.path, "policy").register(name, commit, "ppo", ppo)
    return project


def found(project: FamilyProject, name: str) -> Model:
    with closing(Index(project.path)) as index:
        return find_model(project.path, index, name)


def test_every_kind_of_name_means_the_same_policy(project: FamilyProject) -> None:
    registry = Registry(project.path, "policy")
    registry.move(registry.head(), "promote", {"act": "promote", "moves": {"champion": 2}})
    version = registry.read().versions[2]
    names = ["wild", "policy/2", "policy@champion", version.commit[:8], version.artifact, version.artifact[:12]]
    assert {found(project, name).derivation.artifact for name in names} == {version.artifact}
    assert found(project, "policy@champion").title == "policy/2"
    with pytest.raises(WorkspaceError, match=r"there is no policy@champoin; did you mean policy@champion\?"):
        found(project, "policy@champoin")


def test_an_artifact_is_told_of_in_the_run_that_made_it(project: FamilyProject) -> None:
    data = found(project, "calm").run.lock["data"]["outs"][0]["md5"]
    assert found(project, data).run.name == "calm"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("clam", ["'clam' is not a run", "calm"]),
        ("polcy@champion", ["no registered model is named 'polcy'; did you mean policy?"]),
        ("policy@champion", ["there is no policy@champion", "`stemma promote` sets one"]),
        ("policy/7", ["there is no policy/7", "policy/1, policy/2"]),
        ("ffff", ["'ffff' is not a run"]),
    ],
)
def test_a_wrong_name_says_what_there_is(project: FamilyProject, name: str, words: list[str]) -> None:
    with pytest.raises(WorkspaceError) as error:
        found(project, name)
    for word in words:
        assert word in str(error.value)


def test_an_ambiguous_prefix_lists_what_it_can_mean(project: FamilyProject) -> None:
    heads: dict[str, str] = {}
    for number in range(400):
        ppo = project.put(f"policy {number}".encode())
        if ppo[:4] in heads:
            break
        heads[ppo[:4]] = ppo
    else:
        pytest.fail("no two ids begin alike")
    for name, artifact in (("one", heads[ppo[:4]]), ("two", ppo)):
        project.run(name, [Made("ppo", artifact, 4, {})])
    with pytest.raises(WorkspaceError, match="can mean 2 things") as error:
        found(project, ppo[:4])
    assert ppo in str(error.value)
    assert heads[ppo[:4]] in str(error.value)


def test_where_nothing_is_on_record_it_says_how_to_fetch(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "empty")
    project.git.run("remote", "add", "origin", str(tmp_path / "elsewhere"))
    with pytest.raises(WorkspaceError, match=r"git fetch origin 'refs/exps/\*"):
        found(project, "calm")


def test_a_registered_version_outlives_its_experiment(project: FamilyProject) -> None:
    ref = project.git.run("for-each-ref", "--format=%(refname)", "refs/exps/*/*/wild")
    project.git.run("update-ref", "-d", ref)
    assert found(project, "policy/2").run.name == "wild"
    assert found(project, "wild").version is None
