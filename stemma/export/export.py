"""Put a model and its whole story into one folder: the files, what is told of them in five formats, a signature."""

import json
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stemma.config import Values
from stemma.errors import ArtifactError
from stemma.export import bom, openlineage, prov, provenance
from stemma.export.envelope import seal
from stemma.export.folder import whole_folder
from stemma.export.keys import key_id, public_pem
from stemma.export.layout import BOM, CARD, OPENLINEAGE, PROV, PUBLIC_KEY, STATEMENT, TRACE, check_names
from stemma.export.model_card import model_card
from stemma.export.story import Story, gather
from stemma.export.words import SCORERS
from stemma.lineage.index import open_index
from stemma.lineage.names import find_model
from stemma.lineage.store import Store
from stemma.lineage.trace import as_json
from stemma.serving.loading import check_loadable
from stemma.stage.manifest import MANIFEST


@dataclass(frozen=True)
class Exported:
    """What was exported."""

    title: str
    artifact: str
    """DVC id."""
    files: int
    """How many files the folder has."""
    key: str
    """Id of the key that signed them."""


def export(root: Path, name: str, target: Path, key: Ed25519PrivateKey, defaults: Values) -> Exported:
    """Export the model that a name means to a folder that does not exist yet or is empty; it is whole or not there.

    `defaults` are the settings' defaults, section by section. Raises WorkspaceError where the name means nothing or the
    folder is taken, ArtifactError where the bytes are not to be had whole, or plain transformers would not load them.
    """
    with closing(open_index(root)) as index, Store(root) as store:
        story = gather(root, index, store, find_model(root, index, name), defaults)
        with whole_folder(target) as folder:
            artifact = story.told.family.root
            check_names(story.files.files)
            files = _copied(store, story, folder)
            check_loadable(folder, story.model.fact.name in SCORERS)
            documents = _documents(story, files) | {PUBLIC_KEY: public_pem(key.public_key())}
            beside = {path: sha256(content).hexdigest() for path, content in documents.items()}
            statement = _as_json(provenance.statement(story, files, beside))
            for path, content in (documents | {STATEMENT: seal(statement, key)}).items():
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(content)
    return Exported(story.told.title, artifact, len(files) + len(documents) + 1, key_id(key.public_key()))


def _copied(store: Store, story: Story, folder: Path) -> dict[str, str]:
    """Write the model's files; returns the sha256 of each, by path.

    Raises ArtifactError where a file that they were made from is not what its artifact's manifest says.
    """
    copied, files = story.files.write(folder), story.files.files
    found = {(file.artifact, file.name): copied[path].source_sha256 for path, file in files.items()}
    for artifact in {file.artifact for file in files.values()}:
        recorded = {name: file["sha256"] for name, file in store.read_json(artifact, MANIFEST)["files"].items()}
        recorded[MANIFEST] = story.made[artifact].sha256
        names = {name for holder, name in found if holder == artifact}
        whole = MANIFEST in names
        wrong = sorted(
            name
            for name in names | (set(recorded) if whole else set())
            if found.get((artifact, name)) != recorded.get(name)
        )
        if wrong:
            raise ArtifactError(
                f"{wrong[0]} of artifact {artifact} is not what its manifest says; see what is wrong with "
                "`stemma verify`"
            )
    return {path: done.sha256 for path, done in sorted(copied.items())}


def _documents(story: Story, files: dict[str, str]) -> dict[str, bytes]:
    return {
        CARD: model_card(story).encode(),
        BOM: _as_json(bom.bill_of_materials(story, files)),
        OPENLINEAGE: b"".join(_as_line(event) for event in openlineage.events(story)),
        PROV: _as_json(prov.document(story)),
        TRACE: _as_json(as_json(story.told)),
    }


def _as_json(content: Any) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _as_line(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n").encode()
