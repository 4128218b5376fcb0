"""MLflow loads a policy that was trained as adapters, from the project's checked bytes."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import pytest

from stemma.errors import ArtifactError
from stemma.lineage.git import Git
from stemma.lineage.served import copy_of as served_copy
from stemma.lineage.store import Store
from stemma.stage.locks import lock
from stemma.view.chat_model import checked_copy
from stemma.view.logged_models import LOCK, MANIFEST_TAG, PARENT
from stemma.view.model_differences import model_differences
from stemma.view.store import MlflowStore
from tests.adapted import AdaptedPolicies

ROOT = Path(__file__).resolve().parents[2]
LOAD = """
import json, sys
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
question = {"messages": [{"role": "user", "content": "where does bok live ?"}], "temperature": 0.0, "max_tokens": 5}
print(json.dumps(model.predict(question)))
"""


@pytest.fixture(scope="module")
def store(adapted_policies: AdaptedPolicies) -> MlflowStore:
    return MlflowStore(adapted_policies.path, f"sqlite:///{adapted_policies.path / 'mlflow.db'}")


@pytest.fixture(scope="module")
def logged(adapted_policies: AdaptedPolicies, store: MlflowStore) -> tuple[str, str]:
    """MLflow's address, and the model that stands for adapters over adapters."""
    (adapted_policies.path / "stemma").symlink_to(ROOT / "stemma")
    return store.uri, store.logged_model("ppo", adapted_policies.over_adapters[0].artifact, None)


def loaded(folder: Path, logged: tuple[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", LOAD, logged[0], f"models:/{logged[1]}"]
    environment = {key: value for key, value in os.environ.items() if key not in {"STEMMA_PROJECT", "PYTHONPATH"}}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_mlflow_answers_with_adapters(adapted_policies: AdaptedPolicies, logged: tuple[str, str]) -> None:
    done = loaded(adapted_policies.path, logged)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["model"] == f"ppo {adapted_policies.over_adapters[0].artifact}"
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["usage"]["completion_tokens"] == 5


def test_transformers_flavor_loads_from_a_named_folder_and_says_without_one_which_command_writes_it(
    adapted_policies: AdaptedPolicies, logged: tuple[str, str]
) -> None:
    mlflow.set_tracking_uri(logged[0])
    model, artifact = f"models:/{logged[1]}", adapted_policies.over_adapters[0].artifact
    with pytest.raises(OSError, match=f"`stemma export {artifact} --to FOLDER`"):
        mlflow.transformers.load_model(model)
    folder = str(served_copy(adapted_policies.path, artifact))
    pipeline = mlflow.transformers.load_model(model, base_model_path=folder, tokenizer=folder)
    (answer,) = pipeline("where does bok live ?", max_new_tokens=3)
    assert answer["generated_text"].startswith("where does bok live ?")


def test_outside_a_project_it_says_where_the_weights_are(logged: tuple[str, str], tmp_path: Path) -> None:
    done = loaded(tmp_path, logged)
    assert done.returncode == 1
    assert "is in no Stemma project, which holds this model's weights" in done.stderr


def test_a_models_page_has_the_numbers_of_its_runs_and_no_run_gets_a_point_more(
    adapted_policies: AdaptedPolicies, store: MlflowStore
) -> None:
    data = {"path": "artifacts/data", "md5": "d" * 32 + ".dir", "size": 1}
    policy = {"path": "artifacts/ppo", "md5": "e" * 32 + ".dir", "size": 1}
    report = {"path": "artifacts/eval_ppo", "md5": "f" * 32 + ".dir", "size": 1}
    training = {"cmd": "python -m tasks.ppo", "deps": [data], "outs": [policy]}
    rating = {"cmd": "python -m tasks.eval", "deps": [data, policy], "outs": [report]}
    whole = store.begin_run("calm", {})
    made, rated = (store.begin_run(stage, {PARENT: whole}) for stage in ("ppo", "eval_ppo"))
    with Store(adapted_policies.path) as objects:
        store.log_settings(made, {"ppo": {"updates": 2}})
        store.log_points(made, [("objective/kl", 1, 0.5), ("objective/kl", 2, 0.75)], 1000)
        store.log_inputs(made, training, objects)
        store.log_output(made, "ppo", training, objects)
        store.log_points(rated, [("gold/win_rate", 0, 0.9)], 2000)
        store.log_inputs(rated, rating, objects)
        store.log_output(rated, "eval_ppo", rating, objects)
    model = store.client.get_logged_model(store.logged_model("ppo", str(policy["md5"]), None))
    assert str(model.status) == "READY"
    assert (model.source_run_id, model.params) == (made, {"ppo.updates": "2"})
    numbers = {metric.key: metric for metric in model.metrics or []}
    assert {key: (metric.value, metric.step, metric.run_id) for key, metric in numbers.items()} == {
        "objective/kl": (0.75, 2, made),
        "gold/win_rate": (0.9, 0, rated),
    }
    assert {(m.dataset_name, m.dataset_digest) for m in numbers.values()} == {("data", data["md5"])}
    history = store.client.get_metric_history(made, "objective/kl")
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (2, 0.75)]


def test_a_changed_file_is_found_and_written_again(
    adapted_policies: AdaptedPolicies, store: MlflowStore, logged: tuple[str, str]
) -> None:
    assert list(model_differences(adapted_policies.path, store)) == []
    location = store.client.get_logged_model(logged[1]).artifact_location
    file = Path(location.removeprefix("file://")) / "MLmodel"
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"messages", b"massages"))
    (difference,) = model_differences(adapted_policies.path, store)
    assert "the files by which MLflow loads it are not what is on record" in difference.words
    assert difference.settle()
    assert file.read_bytes() == whole


def test_a_clone_without_the_bytes_leaves_a_models_files_and_one_with_them_records_the_manifest(
    adapted_policies: AdaptedPolicies, store: MlflowStore, logged: tuple[str, str], tmp_path: Path
) -> None:
    without_bytes = tmp_path / "clone"
    Git(tmp_path).run("clone", "--quiet", str(adapted_policies.path), str(without_bytes))
    manifest = store.client.get_logged_model(logged[1]).tags[MANIFEST_TAG]
    store.client.set_logged_model_tags(logged[1], {MANIFEST_TAG: ""})
    assert list(model_differences(without_bytes, store)) == []
    (difference,) = model_differences(adapted_policies.path, store)
    assert difference.settle()
    assert store.client.get_logged_model(logged[1]).tags[MANIFEST_TAG] == manifest
    assert list(model_differences(without_bytes, store)) == list(model_differences(adapted_policies.path, store)) == []


def test_a_model_without_a_manifest_says_which_command_records_it(adapted_policies: AdaptedPolicies) -> None:
    with pytest.raises(ArtifactError, match=r"Run `stemma reconcile` in a clone whose DVC cache or remote has them"):
        checked_copy(adapted_policies.path, adapted_policies.over_adapters[0].artifact, "")


def test_a_model_that_a_kill_left_half_made_is_finished(adapted_policies: AdaptedPolicies, store: MlflowStore) -> None:
    dvc_id = adapted_policies.over_whole[0].artifact
    tags = {"stemma.dvc_id": dvc_id, "stemma.stage": "dpo", MANIFEST_TAG: ""}
    half_made = store.client.create_logged_model(store.experiment, name="dpo", tags=tags, model_type="dpo").model_id
    (difference,) = model_differences(adapted_policies.path, store)
    assert difference.words == f"model dpo {dvc_id}: it is half made (PENDING)"
    assert difference.settle()
    assert str(store.client.get_logged_model(half_made).status) == "READY"
    assert list(model_differences(adapted_policies.path, store)) == []


def test_the_next_run_finishes_a_half_made_model_and_makes_no_second_one(store: MlflowStore) -> None:
    tags = {"stemma.dvc_id": "a" * 32 + ".dir", "stemma.stage": "reward"}
    half_made = store.client.create_logged_model(store.experiment, name="reward", tags=tags).model_id
    assert store.logged_model("reward", tags["stemma.dvc_id"], None) == half_made
    assert str(store.client.get_logged_model(half_made).status) == "READY"


def test_two_runs_at_once_make_one_model(store: MlflowStore) -> None:
    dvc_id = "b" * 32 + ".dir"
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda _: store.logged_model("reward", dvc_id, None), range(4)))
    assert len(set(models)) == 1
    assert [name for name, artifact in store.logged_models().values() if artifact == dvc_id] == ["reward"]


def test_a_model_that_a_run_is_making_is_not_called_half_made(
    adapted_policies: AdaptedPolicies, store: MlflowStore
) -> None:
    tags = {"stemma.dvc_id": "c" * 32 + ".dir", "stemma.stage": "reward"}
    with ThreadPoolExecutor(1) as pool:
        with lock(adapted_policies.path / LOCK):
            model = store.client.create_logged_model(store.experiment, name="reward", tags=tags)
            differences = pool.submit(lambda: list(model_differences(adapted_policies.path, store)))
            with pytest.raises(TimeoutError):
                differences.result(timeout=2)
            store.client.finalize_logged_model(model.model_id, "READY")
        assert differences.result() == []


def test_a_clone_without_the_bytes_does_not_finish_a_policy_of_another_clone(
    adapted_policies: AdaptedPolicies, store: MlflowStore, tmp_path: Path
) -> None:
    tags = {"stemma.dvc_id": "d" * 32 + ".dir", "stemma.stage": "dpo"}
    half_made = store.client.create_logged_model(store.experiment, name="dpo", tags=tags).model_id
    Git(tmp_path).run("clone", "--quiet", str(adapted_policies.path), "clone")
    assert list(model_differences(tmp_path / "clone", store)) == []
    store.client.delete_logged_model(half_made)
