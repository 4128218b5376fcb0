"""`stemma verify`: what a person reads, what is mended, and what a wrong set-up is told."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stemma.cli import main
from stemma.errors import WorkspaceError
from stemma.lineage.forgotten import Tombstones
from stemma.lineage.index import Index
from stemma.lineage.names import find_model
from stemma.lineage.registry import Registry
from stemma.lineage.store import Store
from stemma.verification.fault import Kind
from stemma.verification.verify import verify_bytes, verify_family
from tests.whole_family import WholeProject

LINE = ("data", "sft", "ppo")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> WholeProject:
    """`calm` made data → sft → ppo, the champion; `other` made a challenger from the same data."""
    project = WholeProject(tmp_path_factory.mktemp("template") / "project", seed=3)
    project.add_line("calm", LINE)
    project.add_line("other", LINE, restored=LINE[:1])
    project.save()
    registry = Registry(project.path, "policy")
    for run, alias in zip(project.runs, ("champion", "challenger"), strict=True):
        version = registry.register(run.name, project.commits[run.name], "ppo", run.policy)
        registry.move(registry.head(), "promote", {"act": "promote", "moves": {alias: version.number}})
    return project


@pytest.fixture
def whole(template: WholeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WholeProject:
    """A copy of it, to be damaged."""
    project = template.copy(tmp_path / "project")
    monkeypatch.chdir(project.path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return project


def artifact(project: WholeProject, stage: str) -> str:
    return str(project.runs[0].lock[stage]["outs"][0]["md5"])


def damage(place: Path) -> Path:
    place.chmod(0o644)
    place.write_bytes(b"damaged")
    place.chmod(0o444)
    return place


def part(project: WholeProject, stage: str) -> str:
    """The id of a file that only this stage's artifact holds."""
    return project.objects(artifact(project, stage))["part-0.bin"]


def verified(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    status = main(["verify", "policy@champion", "--json", *options])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("whole")
def test_a_whole_model_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "policy@champion"]) == 0
    told = capsys.readouterr().out
    assert "policy/1: every byte and every record is right (4 artifacts" in told
    assert "no MLflow store yet" in told


def test_the_first_broken_edge_and_the_live_models_are_named(
    whole: WholeProject, capsys: pytest.CaptureFixture[str]
) -> None:
    data, sft = artifact(whole, "data"), artifact(whole, "sft")
    damage(whole.project.place(part(whole, "ppo")))
    damage(whole.project.place(part(whole, "sft")))
    status, told = verified(capsys)
    assert status == 1
    assert told["first_broken_edge"] == {"parent": sft, "child": artifact(whole, "ppo")}
    assert [fault["artifact"] for fault in told["faults"]] == [sft, artifact(whole, "ppo")]
    assert [live["name"] for live in told["live"]] == ["policy@champion"]
    whole.project.place(data).unlink()
    status, told = verified(capsys)
    assert told["first_broken_edge"] == {"parent": data, "child": sft}
    assert [live["name"] for live in told["live"]] == ["policy@challenger", "policy@champion"]


def test_good_copies_are_fetched_and_given(whole: WholeProject, capsys: pytest.CaptureFixture[str]) -> None:
    remote = whole.add_remotes()
    oids = [artifact(whole, "sft"), part(whole, "sft"), part(whole, "ppo")]
    damaged = damage(whole.project.place(oids[1]))
    whole.project.place(oids[0]).unlink()
    (remote / oids[2][:2] / oids[2][2:]).unlink()
    status, told = verified(capsys, "--remote", "--repair")
    assert (status, told["clean"]) == (0, True)
    assert {repair["oid"] for repair in told["repairs"]} == set(oids)
    assert damaged.stat().st_mode & 0o777 == 0o444
    assert verified(capsys, "--remote")[0] == 0


def test_what_no_remote_has_is_told_with_the_command_that_makes_it_again(
    whole: WholeProject, capsys: pytest.CaptureFixture[str]
) -> None:
    place = damage(whole.project.place(part(whole, "sft")))
    assert main(["verify", "calm", "--repair"]) == 1
    told = capsys.readouterr().out
    assert f"not mended: {place}: no DVC remote is configured" in told
    assert f"`rm -f {place}`, then `dvc exp apply calm; dvc repro sft` makes it again" in told


def test_a_damaged_copy_on_the_remote_mends_nothing(whole: WholeProject, capsys: pytest.CaptureFixture[str]) -> None:
    oid = part(whole, "sft")
    remote = whole.add_remotes()
    damage(remote / oid[:2] / oid[2:])
    whole.project.place(oid).unlink()
    status, told = verified(capsys, "--remote", "--repair")
    assert status == 1
    assert {fault["kind"] for fault in told["faults"]} == {Kind.CACHE_MISSING, Kind.REMOTE_CHANGED}
    assert all(not repair["done"] for repair in told["repairs"])


def test_a_remote_that_is_not_there_is_one_message(whole: WholeProject, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "calm", "--remote"]) == 2
    assert "no default DVC remote is configured" in capsys.readouterr().err
    store = whole.add_remotes()
    shutil.rmtree(store)
    assert main(["verify", "calm", "--remote"]) == 2
    assert "DVC remote store holds nothing at" in capsys.readouterr().err
    shutil.copytree(whole.project.cache, store)
    shutil.rmtree(whole.path.with_name("origin.git"))
    assert main(["verify", "calm", "--remote"]) == 2
    assert "Git remote origin does not answer" in capsys.readouterr().err


@pytest.mark.usefixtures("whole")
def test_an_mlflow_that_does_not_answer_is_told_and_no_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    status, told = verified(capsys)
    assert status == 0
    assert "MLflow at http://127.0.0.1:9 does not answer" in told["notes"][0]


def test_raw_data_that_the_commit_does_not_hold_is_a_fault(
    whole: WholeProject, capsys: pytest.CaptureFixture[str]
) -> None:
    """What happens to a run whose `.dvc` files were never committed."""
    run = whole.runs[0]
    files = {path: text for path, text in run.contents().items() if not path.startswith("inputs/")}
    whole.write({"calm": (run.message(), files)})
    assert main(["verify", "calm"]) == 1
    told = capsys.readouterr().out
    assert f"raw data: experiment calm, commit {whole.commits['calm'][:10]}: inputs" in told


def test_a_manifest_that_vouches_for_another_input_breaks_the_edge(
    whole: WholeProject, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every hash of DVC is right here: only the manifests know that sft was made from other data."""
    run, project = whole.runs[0], whole.project
    sft = project.artifact("sft", {"model.bin": b"x"}, {"data": "0" * 64})
    ppo = project.artifact("ppo", {"model.bin": b"y"}, {"sft": project.manifest_sha256(sft)})
    for stage, oid in (("sft", sft), ("ppo", ppo)):
        run.lock[stage]["outs"] = [whole.item(f"artifacts/{stage}", oid)]
    run.lock["ppo"]["deps"] = [
        whole.item("artifacts/sft", sft) if dep["path"] == "artifacts/sft" else dep for dep in run.lock["ppo"]["deps"]
    ]
    whole.write({"forged": (run.message().replace("calm", "forged"), run.contents())})
    assert main(["verify", "forged", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [fault["kind"] for fault in told["faults"]] == [Kind.EDGE]
    assert told["first_broken_edge"] == {"parent": artifact(whole, "data"), "child": sft}


def test_what_was_purged_on_request_is_no_fault(whole: WholeProject, capsys: pytest.CaptureFixture[str]) -> None:
    data = artifact(whole, "data")
    for oid in (part(whole, "data"), data):
        whole.project.place(oid).unlink()
    tombstones = Tombstones(whole.path)
    tombstones.add("forget", {"act": "forget", "asked": "a" * 32, "datasets": [{"objects": [data]}]}, {}, {})
    assert verified(capsys)[0] == 1
    tombstones.add("purge", {"act": "purge", "asked": "a" * 32}, {}, {})
    status, told = verified(capsys)
    assert status == 0
    assert any(f"data {data[:10]}: it was purged on request" in note for note in told["notes"])


def test_an_index_that_does_not_say_what_git_says_is_a_fault(
    whole: WholeProject, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(capsys)[0] == 0
    file = whole.path / ".stemma" / "index.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("update derivations set entry = replace(entry, 'tasks.sft', 'tasks.stf')")
    status, told = verified(capsys)
    assert status == 1
    assert [(fault["kind"], fault["place"]) for fault in told["faults"]] == [(Kind.INDEX, str(file))]
    file.unlink()
    assert verified(capsys)[0] == 0


def test_a_commit_that_git_lost_is_a_fault(whole: WholeProject, capsys: pytest.CaptureFixture[str]) -> None:
    git, ref = whole.project.git, whole.ref("calm")
    lost = git.run("commit-tree", f"{ref}^{{tree}}", "-p", f"{ref}^", "-m", whole.runs[0].message())
    git.run("update-ref", ref, lost)
    assert main(["verify", "calm"]) == 1
    (whole.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    capsys.readouterr()
    assert main(["verify", "calm"]) == 1
    assert f"commit: {lost}\n  Git has no commit {lost[:10]}" in capsys.readouterr().out


def test_promotion_sees_bytes_and_records_and_no_view(whole: WholeProject) -> None:
    with closing(Index(whole.path)) as index, Store(whole.path) as store:
        model = find_model(whole.path, index, "policy/1")
        assert verify_family(whole.path, index, store, model) == []
        with pytest.raises(WorkspaceError, match="no default DVC remote"):
            verify_bytes(whole.path, index, store, model, remote=True)
        damage(whole.project.place(part(whole, "data")))
        (fault,) = verify_family(whole.path, index, store, model)
        assert (fault.kind, fault.artifact) == (Kind.CACHE_CHANGED, artifact(whole, "data"))
        assert verify_bytes(whole.path, index, store, model) == [fault]
