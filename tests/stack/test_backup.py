"""What deploy/backup.sh saved comes back into an empty stack, and every byte and record of it is right."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from tests.project import Project
from tests.stack.s3 import BUCKET
from tests.stack.stack import DATABASES, ROOT, Stack


def addresses(stack: Stack) -> dict[str, str]:
    """What deploy/.env.example names; the bucket is copied by the test, because `aws` is no part of the stack."""
    return {
        "STEMMA_GIT_REMOTE": str(stack.bare),
        "PREFECT_API_DATABASE_CONNECTION_URL": stack.postgres.url("asyncpg", "prefect"),
        "MLFLOW_BACKEND_STORE_URI": stack.postgres.url("psycopg", "mlflow"),
        "STEMMA_LABEL_STORE": stack.postgres.url("psycopg", "labels"),
    }


def stemma(project: Project, *words: str) -> str:
    return project.output(sys.executable, "-m", "stemma", *words)


def clone(stack: Stack, name: str) -> Project:
    """A fresh clone that knows the runs and acts of the Git remote, and where the labels are."""
    made = stack.clone(name)
    made.git("fetch", "--quiet", "origin", "refs/exps/*:refs/exps/*", "refs/stemma/*:refs/stemma/*")
    store = {"STEMMA_LABEL_STORE": stack.postgres.url("psycopg", "labels")}
    return Project(made.path, {**made.environment, **store})


def script(stack: Stack, name: str, folder: Path, status: int = 0) -> str:
    project = Project(stack.folder, stack.environment(**addresses(stack)))
    return project.output(str(ROOT / "deploy" / name), str(folder), status=status)


def objects(stack: Stack) -> dict[str, bytes]:
    client = stack.s3.client()
    return {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in stack.s3.keys("")}


def destroy(stack: Stack) -> None:
    """Every piece: the databases, the bucket, the Git remote."""
    for server in (stack.prefect, stack.mlflow):
        server.kill()
    for name in DATABASES:
        stack.postgres.drop(name)
        stack.postgres.create(name)
    for key in stack.s3.keys(""):
        stack.s3.client().delete_object(Bucket=BUCKET, Key=key)
    shutil.rmtree(stack.bare)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(stack.bare)], check=True)


def in_prefect(stack: Stack) -> dict[str, Any]:
    found = stack.ask("/flow_runs/filter", {})
    return {run["id"]: (run["name"], run["state"]["type"]) for run in found}


def in_mlflow(stack: Stack) -> tuple[set[str], dict[str, dict[str, str]]]:
    """Names of the runs, and the aliases of the registered models."""
    client = MlflowClient(stack.mlflow_url)
    experiment = client.get_experiment_by_name("stemma")
    assert experiment is not None
    runs = {run.info.run_name for run in client.search_runs([experiment.experiment_id])}
    return runs, {model.name: dict(model.aliases) for model in client.search_registered_models()}


def is_right(project: Project, stack: Stack) -> None:
    """The champion verifies with its remotes, and MLflow holds the tree of its run."""
    assert "every byte and every record is right" in stemma(project, "verify", "policy@champion", "--remote")
    client = MlflowClient(stack.mlflow_url)
    version = client.get_model_version_by_alias("policy", "champion")
    assert version.run_id is not None
    parent = client.get_run(version.run_id).data.tags["mlflow.parentRunId"]
    assert "lineage/tree.html" in [file.path for file in client.list_artifacts(parent, "lineage")]


def test_everything_is_lost_and_comes_back(stack: Stack, tmp_path: Path) -> None:
    before = clone(stack, "before")
    before.run("dpo", "kept")
    stemma(before, "promote", "policy/1", "--reason", "a drill", "--force")
    assert "/sign-in/" in stemma(before, "label", "invite", "ada")
    saved, bucket = tmp_path / "backup", objects(stack)
    script(stack, "backup.sh", saved)
    assert "File exists" in script(stack, "backup.sh", saved, status=1)
    seen = in_prefect(stack), in_mlflow(stack), stemma(before, "history", "champion")
    assert "kept" in seen[1][0]
    assert ("kept", "COMPLETED") in seen[0].values()

    destroy(stack)
    shutil.rmtree(before.path)
    for key, content in bucket.items():
        stack.s3.client().put_object(Bucket=BUCKET, Key=key, Body=content)
    script(stack, "restore.sh", saved)
    for server in (stack.prefect, stack.mlflow):
        server.start()
    after = clone(stack, "after")
    assert (in_prefect(stack), in_mlflow(stack), stemma(after, "history", "champion")) == seen
    stemma(after, "verify", "policy@champion", "--remote", "--repair")  # fills the empty cache of the clone
    is_right(after, stack)
    assert "ada" in stemma(after, "label", "revoke", "ada")
    assert "already exists" in script(stack, "restore.sh", saved, status=1)

    stack.mlflow.kill()
    stack.postgres.drop("mlflow")
    stack.postgres.create("mlflow")
    stack.mlflow.start()
    stemma(after, "reconcile")
    assert in_mlflow(stack) == seen[1]
    is_right(after, stack)
