"""Earlier runs' artifacts as a run's raw inputs: under their own DVC ids, so that their families go on in the run's."""

from collections.abc import Mapping
from pathlib import Path

from stemma.config import write_yaml
from stemma.errors import ArtifactError
from stemma.lineage.dvc import run_dvc
from stemma.lineage.store import Store


def take_artifacts(workspace: Path, store: Store, artifacts: Mapping[str, str]) -> None:
    """Lay out artifacts, given by DVC id, at their places in a workspace, as links into the cache where it can.

    Each is tracked by a `.dvc` file beside it. What the cache lacks comes from the remote.
    Raises ArtifactError where a file is in neither.
    """
    for place, dvc_id in artifacts.items():
        fetch_artifact(store, dvc_id, place)
        _track(workspace / place, dvc_id)
    if artifacts:
        run_dvc(workspace, "checkout", *(f"{place}.dvc" for place in artifacts))


def fetch_artifact(store: Store, dvc_id: str, place: str) -> None:
    """Bring what the cache lacks of an artifact from the remote; `place` names it in messages.

    Raises ArtifactError where a file is in neither.
    """
    listing = store.files(dvc_id)
    for oid in (dvc_id, *(listing or {}).values()):
        if store.cache.has(oid):
            continue
        if listing is None or store.remote is None or not store.remote.has(oid):
            raise ArtifactError(
                f"{place}: object {oid} is neither in the DVC cache nor on a remote; `dvc exp pull RUN` brings a run's "
                "files, `stemma reproduce` says whether they can be made again"
            )
        store.cache.take(oid, store.remote)


def _track(folder: Path, dvc_id: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    tracking = folder.with_name(f"{folder.name}.dvc")
    tracking.unlink(missing_ok=True)
    write_yaml(tracking, {"outs": [{"md5": dvc_id, "hash": "md5", "path": folder.name}]})
    ignored = folder.with_name(".gitignore")
    lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.exists() else []
    ignored.write_text("\n".join(sorted({*lines, f"/{folder.name}"})) + "\n", encoding="utf-8")
