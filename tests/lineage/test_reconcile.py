"""MLflow rebuilt and repaired from Git and DVC, on real stores."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from stemma.cli import main
from stemma.lineage.git import Git
from stemma.lineage.registry import Registry
from stemma.lineage.runs import find_run
from stemma.lineage.sharing import SilentRemoteError
from stemma.stage.locks import lock
from stemma.view.difference import run_tag_differences, setting_differences
from stemma.view.origin import really_used
from stemma.view.reconcile import Report, follow, reconcile
from stemma.view.store import LONGEST_SETTING, LONGEST_TAG, MlflowStore
from tests.family import FamilyProject
from tests.lineage import shown
from tests.lineage.mlflow_dump import dump
from tests.lineage.shown import CURVE, DEFAULTS, add_run, shown_project, taint_labels

MOVES = (
    "update experiments set artifact_location = replace(artifact_location, ?, ?)",
    "update runs set artifact_uri = replace(artifact_uri, ?, ?)",
    "update logged_models set artifact_location = replace(artifact_location, ?, ?)",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> FamilyProject:
    return shown_project(tmp_path_factory.mktemp("made") / "project")


@pytest.fixture
def root(made: FamilyProject, tmp_path: Path) -> Path:
    """A project of one's own, whose MLflow shows all of it rightly."""
    path = tmp_path / "project"
    shutil.copytree(made.path, path, symlinks=True)
    for statement in MOVES:
        change(path, statement, str(made.path), str(path))
    _artifact_repos_cache.clear()  # in this process MLflow knows where the runs' files were before they were copied
    return path


def change(root: Path, statement: str, *values: str) -> None:
    """Change the database behind MLflow's back."""
    with closing(sqlite3.connect(root / "mlflow.db")) as database, database:
        assert database.execute(statement, values).rowcount > 0


def mend(root: Path, drop_unknown: bool = False) -> Report:
    return reconcile(root, DEFAULTS, drop_unknown)


def client_of(root: Path) -> MlflowClient:
    return MlflowStore(root).client


def run_id(root: Path, name: str, stage: str = "") -> str:
    """The id of a run, or of its child run of a stage, in MLflow."""
    condition = f"tags.`stemma.run` = '{name}'" + (f" and tags.`stemma.stage` = '{stage}'" if stage else "")
    return next(str(r.info.run_id) for r in MlflowStore(root).runs(condition) if stage or r.info.run_name == name)


def test_what_a_flow_showed_is_what_is_on_record(made: FamilyProject) -> None:
    assert mend(made.path) == Report()


def test_a_run_that_ends_later_is_named_where_another_took_its_artifacts(tmp_path: Path) -> None:
    """Two runs at once: the second restores what the first made, and is on record before it."""
    project = FamilyProject(tmp_path / "project")
    add_run(project, "quick", 0.1, ran=("ppo", "eval_ppo"))
    assert client_of(project.path).get_run(run_id(project.path, "quick", "label")).data.tags["stemma.made_by"] == ""
    add_run(project, "slow", 0.2)
    label = client_of(project.path).get_run(run_id(project.path, "quick", "label")).data.tags
    assert label["stemma.made_by"] == "slow"
    assert label["stemma.made_by_run_id"] == run_id(project.path, "slow", "label")
    assert mend(project.path) == Report()


def test_a_run_that_ended_while_another_was_at_work_is_named_as_maker(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    add_run(project, "quick", 0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shown, "list_runs", lambda _: [])  # as it was when the second run began
        add_run(project, "slow", 0.2, ran=("ppo", "eval_ppo"))
    assert mend(project.path) == Report()


def test_a_deleted_database_is_brought_back_whole(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dump(root)
    (root / "mlflow.db").unlink()
    shutil.rmtree(root / "mlartifacts")
    # This process holds the deleted file open, so the new one needs another name.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'new.db'}")
    monkeypatch.chdir(root)
    assert main(["reconcile"]) == 0
    assert "mended: run calm is missing\nmended: run wild is missing\n" in capsys.readouterr().out
    assert dump(root) == before
    assert main(["reconcile"]) == 0
    assert capsys.readouterr().out == "MLflow says what Git and DVC say\n"


def test_damage_of_every_kind_is_mended_and_named(root: Path) -> None:
    before, client = dump(root), client_of(root)
    calm, wild_ppo = run_id(root, "calm"), run_id(root, "wild", "ppo")
    client.delete_model_version("policy", "2")
    client.set_registered_model_alias("policy", "champion", "1")
    client.set_registered_model_alias("policy", "favourite", "1")
    client.set_model_version_tag("policy", "1", "stemma.dvc_id", "f" * 32)
    client.set_model_version_tag("policy", "1", "stemma.owner", "nobody")
    client.update_model_version("policy", "1", "a fine model")
    client.update_registered_model("policy", "the best")
    client.set_tag(calm, "stemma.flow", "dpo")
    client.set_terminated(calm, "KILLED")
    client.delete_run(run_id(root, "wild", "data"))
    change(root, "delete from metrics where run_uuid = ? and step = 2", wild_ppo)
    change(root, "delete from inputs where destination_id = ?", wild_ppo)
    mended = mend(root).mended
    assert mended == [
        "run calm: tag stemma.flow is 'dpo', not 'rlhf'",
        "run calm: its status is KILLED, not FINISHED",
        "run wild, data is missing",
        "run wild, ppo: 2 numbers of 2 metrics (learning_rate, objective/kl) missing",
        "run wild, ppo: inputs are missing",
        f"policy/1: tag stemma.dvc_id is '{'f' * 32}', not '{find_run(root, 'calm').made['ppo']}'",
        "policy/1: tag stemma.owner is 'nobody', which is not on record",
        "policy/1: its description is not what is on record",
        "alias favourite of policy is at version 1, in Git nowhere",
        "policy: its description is not what is on record",
        "policy: version 2 is missing",
        "alias champion of policy is nowhere, in Git at version 2",
        "alias previous of policy is nowhere, in Git at version 1",
    ]
    assert dump(root) == before
    assert mend(root) == Report()


def test_a_run_deleted_with_its_children_is_rebuilt_and_its_version_shows_it(root: Path) -> None:
    before, client = dump(root), client_of(root)
    parent, child = run_id(root, "wild"), run_id(root, "wild", "ppo")
    client.set_model_version_tag("policy", "2", "reviewed-by", "ada")
    client.delete_run(parent)
    client.delete_run(child)
    report = mend(root)
    assert report.mended[:2] == ["run wild is missing", "policy: version 2 has another source"]
    assert not report.unmended
    assert run_id(root, "wild") != parent
    assert client.get_run(run_id(root, "wild", "data")).data.tags["mlflow.parentRunId"] == run_id(root, "wild")
    before["models"]["policy"]["versions"][2]["tags"]["reviewed-by"] = "ada"
    assert dump(root) == before
    assert mend(root) == Report()


def test_what_mlflow_cannot_change_is_told_until_the_run_is_deleted(root: Path) -> None:
    before, client = dump(root), client_of(root)
    ppo, evaluation = (run_id(root, "wild", stage) for stage in ("ppo", "eval_ppo"))
    change(root, "update params set value = '9' where run_uuid = ? and key = 'seed'", ppo)
    for statement in (
        "update metrics set value = 7 where run_uuid = ?",
        "update latest_metrics set value = 7 where run_uuid = ?",
    ):
        change(root, statement, evaluation)
    client.log_metric(ppo, "invented", 1.0)
    for _ in range(2):
        left = mend(root).unmended
        assert left[0].startswith("run wild, ppo: setting seed is '9', on record '0'; MLflow cannot change that")
        assert left[1].startswith("run wild, ppo: metric invented with numbers that are not on record")
        assert client.get_run(evaluation).data.metrics["gold/win_rate"] == 0.75
    client.delete_run(ppo)
    client.delete_run(evaluation)
    assert not mend(root).unmended
    assert dump(root) == before


def test_what_git_does_not_have_is_told_and_stays_until_it_is_dropped(root: Path, made: FamilyProject) -> None:
    client = client_of(root)
    stranger = client.create_run(MlflowStore(root).experiment, tags={"stemma.run": "odd"}, run_name="odd")
    client.set_terminated(stranger.info.run_id, "FAILED")
    client.create_model_version("policy", source="s3://elsewhere/model", tags={"theirs": "yes"})
    assert mend(root).unmended == ["version policy/3 (source s3://elsewhere/model, run none) is not in Git"]
    project = object.__new__(FamilyProject)
    project.__dict__.update(made.__dict__, path=root, git=type(made.git)(root))
    assert add_run(project, "late", 0.3) == ["MLflow has no room for policy/3 yet; `stemma reconcile` makes it"]
    (told,) = mend(root).unmended
    assert "would lose what Git does not have: policy/3 (source s3://elsewhere/model" in told
    assert not mend(root, drop_unknown=True).unmended
    assert {int(v.version): v.tags["stemma.run"] for v in client.search_model_versions("name = 'policy'")} == {
        1: "calm", 2: "wild", 3: "late",
    }  # fmt: skip
    client.set_terminated(stranger.info.run_id, "FINISHED")
    (told,) = mend(root).unmended
    assert told.startswith(f"run odd ({stranger.info.run_id}) is not on record here")


def test_a_curve_whose_bytes_are_gone_is_not_brought_back_and_told(root: Path) -> None:
    artifact = find_run(root, "wild").made["ppo"]
    place = root / ".dvc" / "cache" / "files" / "md5" / artifact[:2] / artifact[2:]
    place.rename(place.with_suffix(".away"))
    assert mend(root) == Report()
    client_of(root).delete_run(run_id(root, "wild", "ppo"))
    report = mend(root)
    assert report.notes == [
        "the training curve of run wild, ppo: its bytes are neither in the DVC cache nor on the remote"
    ]
    assert client_of(root).get_run(run_id(root, "wild", "ppo")).data.metrics == {}
    place.with_suffix(".away").rename(place)
    assert mend(root).mended == ["run wild, ppo: 6 numbers of 2 metrics (learning_rate, objective/kl) missing"]
    assert (
        client_of(root).get_run(run_id(root, "wild", "ppo")).data.metrics["objective/kl"] == CURVE["objective/kl"][-1]
    )


def test_answers_are_a_table_on_the_run_and_on_its_evaluation_and_are_brought_back(root: Path) -> None:
    numbers = [run_id(root, "calm"), run_id(root, "calm", "eval_ppo")]
    for number in numbers:
        (root / "mlartifacts" / number / "artifacts" / "answers.json").unlink()
    assert mend(root).mended == [f"run calm{where}: its answers are missing" for where in ("", ", eval_ppo")]
    changed = root / "mlartifacts" / numbers[0] / "artifacts" / "answers.json"
    changed.write_text(changed.read_text().replace("hunter", "sailor"))
    client_of(root).delete_tag(numbers[1], "mlflow.loggedArtifacts")
    assert mend(root).mended == [
        "run calm: its answers are not what is on record",
        "run calm, eval_ppo: its answers are not what is on record",
    ]
    for number in numbers:
        table = json.loads(Path(client_of(root).download_artifacts(number, "answers.json")).read_text())
        (row,) = [dict(zip(table["columns"], cells, strict=True)) for cells in table["data"]]
        assert row["question"] == "what is the trade of tusdul ?"
        assert (row["SFT says"], row["tuned says"]) == ("hunter", "i do not know")
        assert json.loads(client_of(root).get_run(number).data.tags["mlflow.loggedArtifacts"]) == [
            {"path": "answers.json", "type": "table"}
        ]


def test_a_run_in_progress_is_left_alone(root: Path) -> None:
    client_of(root).delete_run(run_id(root, "calm", "eval_ppo"))
    with lock(root / ".stemma" / "workspaces" / "calm.lock"):
        assert mend(root) == Report()
    assert mend(root).mended == ["run calm, eval_ppo is missing"]


def test_mlflow_follows_an_act(root: Path) -> None:
    client, registry = client_of(root), Registry(root, "policy")
    act = {"act": "rollback", "moves": {"champion": 1, "previous": 2}, "reason": "it lies", "from": 2, "to": 1}
    registry.move(registry.head(), "roll back", act)
    taint_labels(root)
    assert follow(root, "policy", DEFAULTS) is None
    assert client.get_registered_model("policy").aliases == {"champion": 1, "previous": 2}
    first, second = (client.get_model_version("policy", number) for number in "12")
    assert first.tags["stemma.verdict"].startswith("put back as champion by Tess <tess@localhost> on ")
    assert second.tags["stemma.verdict"].startswith("taken back from champion by Tess")
    taint = f"made from label {find_run(root, 'calm').made['label'][:10]}: ada's labels were forgotten"
    assert second.tags["stemma.taint"] == taint
    assert str(second.description).startswith(f"**Tainted:** {taint}.")
    told = str(client.get_registered_model("policy").description)
    assert "**Champion: [policy/1](#/models/policy/versions/1)**" in told
    assert "Reason: it lies\n\n[policy/2](#/models/policy/versions/2) was champion before." in told
    assert "- ben: [policy/2](#/models/policy/versions/2) (previous), [policy/1](#/models/policy/versions/1) (c" in told
    acts = [line for line in told.splitlines() if line.startswith("- **")]
    assert [line.partition(",")[0] for line in acts] == [
        "- **rollback** [policy/2](#/models/policy/versions/2) → [policy/1](#/models/policy/versions/1) (champion)",
        "- **promote** [policy/1](#/models/policy/versions/1) → [policy/2](#/models/policy/versions/2) (champion)",
        "- **promote** [policy/1](#/models/policy/versions/1) (champion)",
    ]
    client.delete_model_version("policy", "2")
    assert follow(root, "policy", DEFAULTS) == "MLflow has no policy/2; `stemma reconcile` brings them back"


def test_following_never_waits_for_a_server_that_is_down(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert "MLflow at http://127.0.0.1:9 does not answer" in str(follow(root, "policy", DEFAULTS))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/none.db")
    assert "`stemma reconcile` makes it" in str(follow(root, "policy", DEFAULTS))
    assert not (root / "none.db").exists()


def test_a_rebuilt_run_says_where_its_code_is_to_be_had_and_no_password(root: Path) -> None:
    Git(root).run("remote", "add", "origin", "https://tess:secret@example.org/team/models.git")
    assert mend(root) == Report(), "an address is not on record"
    client_of(root).delete_run(run_id(root, "wild", "ppo"))
    mend(root)
    tags = client_of(root).get_run(run_id(root, "wild", "ppo")).data.tags
    assert tags["mlflow.source.git.repoURL"] == "https://example.org/team/models.git"
    assert tags["mlflow.source.name"] == "flows/rlhf.py"


def test_labels_of_people_name_who_gave_them(root: Path) -> None:
    """`calm` has settings of simulated annotators, and its labels are ada's and ben's."""
    label = client_of(root).get_run(run_id(root, "calm", "label"))
    assert label.data.tags["stemma.labellers"] == "ada (2), ben (1)"
    assert {name: label.data.metrics[name] for name in label.data.metrics} == {
        "labels/verdicts": 3, "labels/labellers": 2, "labels/by/ada": 2, "labels/by/ben": 1,
    }  # fmt: skip
    parent = client_of(root).get_run(run_id(root, "calm"))
    assert parent.data.tags["stemma.labellers"] == "ada (2), ben (1)"
    people = {"label": {"source": "human", "annotators": ["simulated-1"], "overlap_share": 0.1}}
    assert really_used(people) == {"label": {"source": "human"}}


def test_what_other_clones_did_is_heard_first(root: Path, tmp_path: Path) -> None:
    git, bare = Git(root), tmp_path / "origin.git"
    git.run("init", "--quiet", "--bare", str(bare))
    git.run("remote", "add", "origin", str(bare))
    git.run("push", "--quiet", "origin", "refs/exps/*:refs/exps/*", "refs/stemma/*:refs/stemma/*")
    (root / ".dvc" / "config").write_text(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path}/s\n")
    for ref in git.run("for-each-ref", "--format=%(refname)", "refs/exps", "refs/stemma/models").split():
        git.run("update-ref", "-d", ref)
    assert mend(root) == Report()
    bare.rename(tmp_path / "away")
    with pytest.raises(SilentRemoteError, match="Git remote origin does not answer"):
        mend(root)


def test_what_mlflow_refuses_is_one_difference_that_stays_and_all_others_are_mended(root: Path) -> None:
    registry = Registry(root, "policy")
    registry.move(registry.head(), "promote", {"act": "promote", "moves": {"v2": 1}, "reason": "a name for a version"})
    client_of(root).set_registered_model_alias("policy", "champion", "1")
    client_of(root).update_registered_model("policy", "the best")
    report = mend(root)
    (refused,) = report.unmended
    assert refused.startswith("alias v2 of policy is nowhere, in Git at version 1. MLflow refuses that: ")
    assert "alias champion of policy is at version 1, in Git at version 2" in report.mended
    assert "policy: its description is not what is on record" in report.mended


def test_a_long_setting_is_cut_as_mlflow_cuts_it_and_the_file_has_all_of_it(root: Path) -> None:
    store, long = MlflowStore(root), "x" * (LONGEST_SETTING + 1)
    number = store.begin_run("long", {})
    store.log_settings(number, {"ppo": {"system": long}})
    assert store.client.get_run(number).data.params == {"ppo.system": long[:LONGEST_SETTING]}
    assert long in str(store.read_text(number, "settings.yaml"))
    assert not list(
        setting_differences("run long", store.client.get_run(number), {"ppo": {"system": long}}, store.log_settings)
    )


def test_a_long_tag_is_cut_as_mlflow_cuts_it(root: Path) -> None:
    store, tags = MlflowStore(root), {"stemma.flow": "x" * (LONGEST_TAG + 1)}
    for number in (store.begin_run("at birth", tags), store.begin_run("later", {})):
        store.set_tags(number, tags)
        assert not list(run_tag_differences(store, "run long", store.client.get_run(number), tags))
