"""The files of a model as plain libraries load them by path.

A whole model is its artifact as it is. Adapters are merged into their base: peft and transformers resolve the place of
a base against the working directory, and follow one level of adapters only, so adapters by themselves load nowhere.
Beside the merged weights lie the artifacts of the adapters, byte for byte.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from stemma.errors import ArtifactError
from stemma.lineage.index import Index
from stemma.lineage.policy_files import POLICIES
from stemma.lineage.store import Store
from stemma.models.adapter_files import BASE, CONFIG, WEIGHTS, read_base
from stemma.serving.copying import Copied, copy_object, inside
from stemma.stage.manifest import MANIFEST
from stemma.stage.progress import HISTORY

if TYPE_CHECKING:
    from stemma.models.merging import Merger

ADAPTERS = "adapters"
"""The folder beside merged weights that holds the artifacts of the adapters, by stage."""
WEIGHTS_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class ModelFile:
    """One file of a model."""

    artifact: str
    """DVC id of the artifact that holds it."""
    name: str
    """Its path in that artifact."""
    md5: str
    merged: bool = False
    """Whether adapters are added into it on its way."""


@dataclass(frozen=True)
class ModelFiles:
    """The files of a model, by their path in its folder."""

    store: Store
    files: Mapping[str, ModelFile]
    base: str
    """DVC id of the artifact that holds the weights."""
    adapters: tuple[tuple[str, str], ...] = ()
    """Stage and DVC id of each artifact of adapters, the one nearest the base first; none where the model is whole."""

    def write(self, folder: Path) -> dict[str, Copied]:
        """Write the files into a folder; returns what was written, by path.

        Raises ArtifactError where a file is nowhere to be had as its id says, or the adapters do not fit the base.
        """
        return dict(self._copies(folder))

    def md5s(self) -> dict[str, str]:
        """The md5 that each file has; merged weights are made for it and not kept.

        Raises ArtifactError as `write` does.
        """
        plain = {path: file.md5 for path, file in self.files.items() if not file.merged}
        return plain | {path: copied.md5 for path, copied in self._merge(None)}

    def _copies(self, folder: Path) -> Iterator[tuple[str, Copied]]:
        for path, file in self.files.items():
            if not file.merged:
                target = folder / inside(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                yield path, copy_object(self.store, file.md5, target, path)
        yield from self._merge(folder)

    def _merge(self, folder: Path | None) -> Iterator[tuple[str, Copied]]:
        if not self.adapters:
            return
        merger = self._merger()
        for path, file in self.files.items():
            if file.merged:
                target = folder / inside(path) if folder else Path(os.devnull)
                yield path, copy_object(self.store, file.md5, target, path, merger.merge)
        merger.check_complete()

    def _merger(self) -> "Merger":
        from stemma.models.merging import Merger, read_adapter

        return Merger(
            [
                read_adapter(
                    f"{stage} {artifact}", _read(self.store, artifact, CONFIG), _read(self.store, artifact, WEIGHTS)
                )
                for stage, artifact in self.adapters
            ]
        )


def artifacts_of(index: Index, commit: str) -> dict[str, str]:
    """The DVC ids of a run's artifacts, by stage."""
    return {stage: derivation.artifact for stage, derivation in index.of_run(commit).items()}


def model_files(store: Store, artifacts: Mapping[str, str], stage: str) -> ModelFiles:
    """The files of the model that a stage made; `artifacts` are the DVC ids of its run's artifacts, by stage.

    Raises ArtifactError where a list of files, or what names the base of adapters, is nowhere to be had, where the base
    is not the one that the adapters were trained on, or where they are adapters of a model that scores.
    """
    adapters: list[tuple[str, str]] = []
    if stage not in POLICIES and BASE in _listing(store, artifacts[stage]):
        raise ArtifactError(
            f"{stage} {artifacts[stage]} is a model of scores that was trained as LoRA adapters, and only adapters of "
            f"policies are merged into their base. Train it whole, `stemma run rlhf --set {stage}.tuning=full`, and "
            f"name the {stage} model of that run"
        )
    while BASE in (listing := _listing(store, artifacts[stage])):
        adapters.insert(0, (stage, artifacts[stage]))
        stage = _base_stage(store, artifacts, stage)
    base = artifacts[stage]
    if not adapters:
        return ModelFiles(store, {path: ModelFile(base, path, md5) for path, md5 in listing.items()}, base)
    files = {
        path: ModelFile(base, path, md5, merged=path.endswith(WEIGHTS_SUFFIX))
        for path, md5 in listing.items()
        if path not in {MANIFEST, HISTORY}
    }
    for name, artifact in adapters:
        own = {path: ModelFile(artifact, path, md5) for path, md5 in _listing(store, artifact).items()}
        # The tokenizer that a model was trained with is its own.
        files |= {path: file for path, file in own.items() if path in files}
        files |= {f"{ADAPTERS}/{name}/{path}": file for path, file in own.items()}
    return ModelFiles(store, files, base, tuple(adapters))


def _base_stage(store: Store, artifacts: Mapping[str, str], stage: str) -> str:
    recorded = read_base(_read(store, artifacts[stage], BASE))
    name = PurePosixPath(recorded.folder).name
    if name in artifacts:
        manifest = _read(store, artifacts[name], MANIFEST)
        if hashlib.sha256(manifest).hexdigest() == recorded.manifest:
            return name
    raise ArtifactError(
        f"the adapters of {stage} {artifacts[stage]} belong to a model {name} whose manifest has the sha256 "
        f"{recorded.manifest[:12]}…, and their run has no such artifact; see what is wrong with `stemma verify`"
    )


def _listing(store: Store, artifact: str) -> Mapping[str, str]:
    listing = store.files(artifact)
    if listing is None:
        raise ArtifactError(
            f"artifact {artifact} is neither in the DVC cache nor on a remote; "
            "`dvc exp pull RUN` brings a run's files, `stemma reproduce` says whether they can be made again"
        )
    return listing


def _read(store: Store, artifact: str, file: str) -> bytes:
    content = store.read(artifact, file)
    if content is None:
        raise ArtifactError(
            f"{file} of artifact {artifact} is neither in the DVC cache nor on a remote; fetch it with `dvc pull`"
        )
    return content
