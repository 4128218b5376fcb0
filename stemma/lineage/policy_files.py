"""A model's files in a folder of their own, adapters beside the models below them, as links into the DVC cache."""

from pathlib import Path, PurePosixPath

from stemma.errors import WorkspaceError
from stemma.lineage.index import Derivation, Index
from stemma.lineage.names import Model
from stemma.lineage.store import Store
from stemma.lineage.taken import fetch_artifact
from stemma.stage.definition import ARTIFACTS
from stemma.stage.manifest import verify_manifest

POLICIES = ("base", "sft", "ppo", "dpo")
"""Stages whose artifact answers prompts."""


def check_policy(model: Model) -> None:
    """Raise WorkspaceError where a model is no policy."""
    stage = model.derivation.stage
    if stage not in POLICIES:
        raise WorkspaceError(
            f"{model.title} is an artifact of stage {stage}, which answers no prompts; name a run, a version, or an "
            f"artifact of {', '.join(POLICIES)}: `stemma trace {model.run.name}` lists their ids"
        )


def link_policy(index: Index, store: Store, model: Model, folder: Path) -> Path:
    """Lay out a model and the models that its adapters need; returns the model's own folder.

    What the cache lacks comes from the remote. Raises ArtifactError where a file is in neither, or is damaged.
    """
    for place, artifact in with_bases(index, store, model.derivation, model.derivation.stage).items():
        fetch_artifact(store, artifact, f"{place} of {model.title}")
        for path, oid in store.cache.files(artifact).items():
            target = folder / place / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(store.cache.path(oid))
        verify_manifest(folder / place)
    return folder / model.derivation.stage


def with_bases(index: Index, store: Store, model: Derivation, place: str) -> dict[str, str]:
    """A model at its place and, where it is adapters, the models below it where the adapters look for them."""
    found = {place: model.artifact}
    recorded = store.read_json(model.artifact, "base.json")
    if recorded:
        stage = PurePosixPath(recorded["base"]).name
        below = next(dep.md5 for dep in index.inputs(model) if dep.path == str(ARTIFACTS / stage))
        derivation = next(made for made in index.of_artifact(below) if made.stage == stage)
        found |= with_bases(index, store, derivation, str(PurePosixPath(place).parent / stage))
    return found
