"""A run as MLflow shows it, read back through its client from the real sqlite store."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run as MlflowRun
from mlflow.models import Model

from flows import dpo, rlhf
from flows.settings import ProjectSettings, stage_values
from stemma.lineage.registry import Registry
from stemma.lineage.runs import artifact_id
from stemma.view.model_file import model_folder
from stemma.view.reconcile import reconcile
from tests.auditor import MOST_CLICKS, auditor_of
from tests.project import Project
from tests.served import asked, mlflow_serve

LOAD = """
import json, mlflow, sys
model = mlflow.pyfunc.load_model(sys.argv[1])
question = {"messages": [{"role": "user", "content": "where does bok live ?"}], "temperature": 0.0}
print(json.dumps(model.predict(question)["choices"]))
"""


@pytest.fixture(scope="module")
def client(undisturbed: Project) -> MlflowClient:
    return MlflowClient(f"sqlite:///{undisturbed.path / 'mlflow.db'}")


def runs_of(client: MlflowClient, name: str) -> tuple[MlflowRun, dict[str, MlflowRun]]:
    """The parent run of that name, and its child runs by stage."""
    experiment = client.get_experiment_by_name("stemma")
    assert experiment is not None
    (parent,) = client.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'")
    children = client.search_runs(
        [experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", max_results=100
    )
    return parent, {child.data.tags["stemma.stage"]: child for child in children}


def test_every_stage_is_a_child_run_with_its_tags(client: MlflowClient, undisturbed: Project) -> None:
    run = undisturbed.found("calm")
    parent, children = runs_of(client, "calm")
    assert set(children) == set(rlhf.STAGES)
    for child in (parent, *children.values()):
        assert child.info.status == "FINISHED"
        assert child.data.tags["stemma.experiment"] == "calm"
        assert child.data.tags["stemma.experiment_commit"] == run.commit
        assert child.data.tags["mlflow.source.git.commit"] == run.baseline
        assert child.data.tags["prefect.flow_run_id"] == run.trailers["Prefect-Flow-Run"]
        assert child.data.tags["stemma.model_version"].startswith("policy/")


def test_a_child_run_holds_settings_live_metrics_inputs_and_output(client: MlflowClient, undisturbed: Project) -> None:
    lock = undisturbed.found("calm").lock
    _, children = runs_of(client, "calm")
    ppo = children["ppo"]
    assert ppo.data.params["ppo.kl_coef"] == str(undisturbed.found("calm").params["ppo"]["kl_coef"])
    assert ppo.inputs is not None
    assert ppo.outputs is not None
    assert children["sample"].inputs is not None
    assert "settings.yaml" in {file.path for file in client.list_artifacts(ppo.info.run_id)}
    steps = client.get_metric_history(ppo.info.run_id, "objective/kl")
    assert len({point.step for point in steps}) == undisturbed.found("calm").params["ppo"]["updates"]
    inputs = {entry.dataset.name: entry.dataset.digest for entry in ppo.inputs.dataset_inputs}
    assert inputs == {"data": artifact_id(lock["data"])}
    inputs_of_ppo = client.get_run(ppo.info.run_id).inputs
    assert inputs_of_ppo is not None
    models = {client.get_logged_model(entry.model_id).name for entry in inputs_of_ppo.model_inputs}
    assert models == {"base", "sft", "judge", "reward"}
    (output,) = ppo.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert model.name == "ppo"
    assert model.tags["stemma.dvc_id"] == artifact_id(lock["ppo"])
    (made,) = [
        entry.dataset
        for entry in children["sample"].inputs.dataset_inputs
        if {tag.key: tag.value for tag in entry.tags}["mlflow.data.context"] == "output"
    ]
    assert (made.name, made.digest) == ("sample", artifact_id(lock["sample"]))
    assert json.loads(str(made.profile))["num_rows"] > 100


def test_the_parent_run_tells_the_whole_of_it(client: MlflowClient, undisturbed: Project) -> None:
    parent, children = runs_of(client, "calm")
    run, tags = undisturbed.found("calm"), parent.data.tags
    assert tags["mlflow.source.name"] == "flows/rlhf.py"
    assert tags["stemma.base"] == "from scratch, seed 0"
    assert tags["stemma.labellers"].startswith("simulated-1 (")
    assert parent.data.params["ppo.updates"] == str(run.params["ppo"]["updates"])
    assert "ppo.kl_coef" not in parent.data.params, "it has its default"
    assert {"gold/win_rate", "sft/gold/accuracy", "test/accuracy"} <= set(parent.data.metrics)
    assert "greedy/gold/accuracy" not in parent.data.metrics
    for words in ("Registered as [policy/", "win rate against SFT", "**Data:** the default world", run.baseline):
        assert words in tags["mlflow.note.content"]
    assert parent.inputs is not None
    assert parent.inputs.dataset_inputs == [], "placeholders are no data"
    files = {file.path: file.file_size for file in client.list_artifacts(parent.info.run_id)}
    assert {"params.yaml", "lineage", "run.log"} <= set(files)
    assert (files["run.log"] or 0) > 0
    for stage, child in children.items():
        logs = [f for f in client.list_artifacts(child.info.run_id) if f.path == f"{stage}.log"]
        assert logs
        assert (logs[0].file_size or 0) > 0, "what the terminal showed of it"


def test_the_labels_name_who_gave_them_and_how_many(client: MlflowClient) -> None:
    _, children = runs_of(client, "calm")
    label = children["label"]
    by_name = {name: count for name, count in label.data.metrics.items() if name.startswith("labels/by/")}
    assert set(by_name) == {"labels/by/simulated-1", "labels/by/simulated-2", "labels/by/simulated-3"}
    assert sum(by_name.values()) == label.data.metrics["labels/verdicts"]


def test_an_auditor_reads_all_of_a_run_in_a_browser(undisturbed: Project, tmp_path: Path) -> None:
    with auditor_of(tmp_path, undisturbed.path / "mlflow.db") as auditor:
        auditor.open_run("stemma", "calm")
        auditor.reads("Registered as policy/1.", "Base model: from scratch, seed 0.", "Labelled by: simulated-1 (")
        auditor.reads("Data: the default world, made from seed 0.", undisturbed.found("calm").baseline)
        assert auditor.clicks <= MOST_CLICKS
        auditor.open_model("policy")
        auditor.reads("No champion yet", "simulated-1: policy/", "policy/2, policy/1")
        assert auditor.clicks <= MOST_CLICKS


def test_nothing_of_it_is_known_to_mlflow_alone(undisturbed: Project) -> None:
    report = reconcile(undisturbed.path, stage_values(ProjectSettings()))
    versions = Registry(undisturbed.path, "policy").read().versions.values()
    # tests/pipelines/test_freshness.py takes back the request that tainted this run, behind MLflow's back.
    tainted = ("run tainted", *(f"policy/{version.number}:" for version in versions if version.run == "tainted"))
    assert [words for words in report.mended if not words.startswith(tainted)] == []
    assert (report.unmended, report.notes) == ([], [])


def test_the_registered_version_names_the_same(client: MlflowClient, undisturbed: Project) -> None:
    run = undisturbed.found("calm")
    (version,) = [v for v in client.search_model_versions("name='policy'") if v.tags["stemma.run"] == "calm"]
    assert version.tags["stemma.dvc_id"] == artifact_id(run.lock["ppo"])
    assert run.baseline in str(version.description)
    assert "dvc exp apply calm" in str(version.description)


def test_pictures_are_drawn(client: MlflowClient) -> None:
    _, children = runs_of(client, "calm")
    evaluated = {file.path for file in client.list_artifacts(children["eval_ppo"].info.run_id)}
    assert "metrics.png" in evaluated
    assert "history.png" in {file.path for file in client.list_artifacts(children["ppo"].info.run_id)}


def test_restored_stages_are_marked_cached_and_link_the_run_that_made_the_bytes(client: MlflowClient) -> None:
    _, first = runs_of(client, "calm")
    _, second = runs_of(client, "straight")
    assert set(second) == set(dpo.STAGES)
    for stage in ("data", "base", "sft", "sample", "label", "judge"):
        tags = second[stage].data.tags
        assert tags["stemma.state"] == "cached"
        assert tags["stemma.made_by"] == "calm"
        assert tags["stemma.made_by_run_id"] == first[stage].info.run_id
    assert second["dpo"].data.tags["stemma.state"] == "ran"


@pytest.fixture(scope="module")
def champion(client: MlflowClient) -> Iterator[str]:
    """The address of the policy that the tests take for champion."""
    (version,) = [v for v in client.search_model_versions("name='policy'") if v.tags["stemma.run"] == "calm"]
    client.set_registered_model_alias("policy", "tried", version.version)
    yield "models:/policy@tried"
    client.delete_registered_model_alias("policy", "tried")


def test_a_models_page_has_settings_numbers_data_and_runs(client: MlflowClient, undisturbed: Project) -> None:
    _, children = runs_of(client, "calm")
    outputs = children["ppo"].outputs
    assert outputs is not None
    model = client.get_logged_model(outputs.model_outputs[0].model_id)
    assert str(model.status) == "READY"
    assert model.source_run_id == children["ppo"].info.run_id
    assert model.params == children["ppo"].data.params
    numbers = {metric.key: metric for metric in model.metrics or []}
    assert "objective/kl" in numbers
    assert numbers["gold/win_rate"].value == undisturbed.found("calm").metrics["eval_ppo"]["gold/win_rate"]
    assert numbers["gold/win_rate"].run_id == children["eval_ppo"].info.run_id
    data = artifact_id(undisturbed.found("calm").lock["data"])
    assert (numbers["gold/win_rate"].dataset_name, numbers["gold/win_rate"].dataset_digest) == ("data", data)


def test_mlflow_keeps_no_weights_and_says_where_they_are(
    client: MlflowClient, champion: str, undisturbed: Project, tmp_path: Path
) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{undisturbed.path / 'mlflow.db'}")
    folder = Path(mlflow.artifacts.download_artifacts(champion, dst_path=str(tmp_path)))
    assert {path.name for path in folder.iterdir()} >= {"MLmodel", "mlflow_model.py", "WEIGHTS.md"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 30_000
    assert "stemma export" in (folder / "WEIGHTS.md").read_text()
    model = Model.load(str(folder))
    assert model.signature is not None
    assert model.signature.inputs.input_names()[0] == "messages"
    # MLflow's sqlite registry keeps a version's model in its source alone.
    assert f"models:/{model.model_id}" == client.get_model_version_by_alias("policy", "tried").source
    artifact = artifact_id(undisturbed.found("calm").lock["ppo"])
    manifest = model.flavors["python_function"]["config"]["manifest_sha256"]
    with model_folder(str(model.model_id), "ppo", artifact, manifest) as again:
        assert (again / "MLmodel").read_bytes() == (folder / "MLmodel").read_bytes()


def test_mlflow_serves_the_policy_from_checked_bytes(champion: str, undisturbed: Project) -> None:
    tracking = {"MLFLOW_TRACKING_URI": f"sqlite:///{undisturbed.path / 'mlflow.db'}"}
    there = Project(undisturbed.path, {**undisturbed.environment, **tracking})
    question = {"messages": [{"role": "user", "content": "where does bok live ?"}], "temperature": 0.0}
    with mlflow_serve(champion, there.path, there.environment) as address:
        first, second = asked(address, question), asked(address, question)
    assert first["choices"] == second["choices"]
    assert first["choices"][0]["message"]["role"] == "assistant"
    artifact = artifact_id(undisturbed.found("calm").lock["ppo"])
    assert first["model"] == f"ppo {artifact}"
    weights = undisturbed.path / "serving" / ".versions" / artifact / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert first["choices"][0]["message"]["content"] in there.output(sys.executable, "-c", LOAD, champion)
    assert weights.read_bytes() == whole  # laid out again from DVC
