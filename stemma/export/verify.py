"""Check an export offline: the signature, every file against the signed statement, the documents against each other."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from stemma.errors import ArtifactError, SettingsError
from stemma.export import bom, openlineage, prov, provenance
from stemma.export.envelope import unseal
from stemma.export.keys import key_id, read_public_key
from stemma.export.layout import BOM, CARD, OPENLINEAGE, PROV, PUBLIC_KEY, STATEMENT, TRACE
from stemma.lineage.md5 import file_md5
from stemma.serving.model_files import ADAPTERS
from stemma.stage.manifest import MANIFEST, file_sha256

Statement = dict[str, Any]

UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""What a document raises that is not of the form it should have."""

NAMED: dict[str, Callable[[str], set[str]]] = {
    BOM: lambda text: bom.artifacts(json.loads(text)),
    OPENLINEAGE: lambda text: openlineage.artifacts(map(json.loads, text.splitlines())),
    PROV: lambda text: prov.artifacts(json.loads(text)),
    TRACE: lambda text: {artifact["dvc_id"] for artifact in json.loads(text)["artifacts"]},
}
"""Which artifacts and raw inputs each document names."""


@dataclass(frozen=True)
class Verdict:
    """What a check found."""

    faults: tuple[str, ...]
    files: int
    """How many files were compared."""
    title: str
    artifact: str
    """DVC id."""
    key: str
    """Id of the key that the signature was held against."""


def verify_export(folder: Path, public: Path | None = None) -> Verdict:
    """Check an exported folder against a public key, or against the one that lies in it.

    Raises SettingsError where the folder or the given key cannot be read.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder; name one that `stemma export` made")
    try:
        key = read_public_key(public or folder / PUBLIC_KEY)
    except SettingsError as error:
        if public:
            raise
        return Verdict((str(error),), 0, "", "", "")
    try:
        statement = _statement(folder, unseal((folder / STATEMENT).read_bytes(), key))
    except OSError as error:
        return Verdict((f"{STATEMENT} cannot be read: {error.strerror}",), 0, "", "", key_id(key))
    except ArtifactError as error:
        return Verdict((f"{STATEMENT} {error}",), 0, "", "", key_id(key))
    recorded = _recorded(statement)
    faults = _file_faults(folder, recorded) or _disagreements(folder, statement)
    build = statement["predicate"]["buildDefinition"]["externalParameters"]
    return Verdict(tuple(faults), len(recorded) + 1, build["model"], build["artifact"], key_id(key))


def _statement(folder: Path, payload: bytes) -> Statement:
    """The signed statement. Raises ArtifactError where it is not one of ours, though its signature holds."""
    try:
        statement: Statement = json.loads(payload)
        kinds = (statement["_type"], statement["predicateType"])
        build = statement["predicate"]["buildDefinition"]
        whole = {str(build["externalParameters"][key]) for key in ("model", "artifact")}
        whole |= provenance.artifacts(statement) | set(_recorded(statement))
    except UNREADABLE:
        raise ArtifactError(
            f"holds no statement about a model; it was not made by `stemma export`, in {folder}"
        ) from None
    if kinds != (provenance.STATEMENT, provenance.PREDICATE) or build["buildType"] != provenance.BUILD_TYPE:
        raise ArtifactError(f"is about something else: {' '.join(kinds)}")
    return statement


def _recorded(statement: Statement) -> dict[str, str]:
    """The sha256 of every file that the statement names: the model's, and those beside them."""
    listed = [*statement["subject"], *statement["predicate"]["runDetails"]["byproducts"]]
    return {found["name"]: found["digest"]["sha256"] for found in listed}


def _file_faults(folder: Path, recorded: Mapping[str, str]) -> list[str]:
    faults = []
    present = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name, path in sorted(present.items()):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            faults.append(f"{name} is no plain file")
        elif path.is_file() and name != STATEMENT:
            found = file_sha256(path)
            if name not in recorded:
                faults.append(f"{name} is not part of the export")
            elif found != recorded[name]:
                faults.append(f"{name} changed: sha256 {found}, signed {recorded[name]}")
    return faults + [f"{name} is missing" for name in sorted(recorded) if name not in present]


def _disagreements(folder: Path, statement: Statement) -> list[str]:
    """Where signed documents contradict each other: whoever signed them did not make them from one story."""
    artifact = statement["predicate"]["buildDefinition"]["externalParameters"]["artifact"]
    expected = provenance.artifacts(statement)
    files = {found["name"]: found["digest"]["sha256"] for found in statement["subject"]}
    faults = _model_faults(folder, files, artifact, expected)
    for name, named in NAMED.items():
        try:
            found = named((folder / name).read_text(encoding="utf-8"))
        except UNREADABLE:
            faults.append(f"{name} is not readable as what it should be")
            continue
        if found != expected:
            faults.append(f"{name} tells of other artifacts than the statement: {', '.join(sorted(found ^ expected))}")
    card = folder / CARD
    if not card.is_file() or artifact not in card.read_text(encoding="utf-8", errors="replace"):
        faults.append(f"{CARD} does not name the artifact {artifact}")
    return faults


def _model_faults(folder: Path, files: Mapping[str, str], artifact: str, known: set[str]) -> list[str]:
    """Where the artifacts that lie in the folder are not those of the statement: the model's, or its adapters'."""
    held = _artifacts_in(files)
    found = {prefix: _dvc_id(folder / prefix, names) for prefix, names in held.items()}
    if artifact not in found.values():
        return [f"the model's files together are {', '.join(found.values())}, and the statement is about {artifact}"]
    faults = [
        f"{prefix} is artifact {dvc_id}, of which the statement says nothing"
        for prefix, dvc_id in found.items()
        if dvc_id not in known
    ]
    return faults + [fault for prefix, names in held.items() for fault in _manifest_faults(folder, prefix, names)]


def _artifacts_in(files: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The sha256s of the files of each artifact that lies there whole, by its folder.

    Weights that adapters were merged into are no artifact; the signature alone vouches for them.
    """
    paths = {PurePosixPath(name): digest for name, digest in files.items()}
    folders = sorted({"/".join(path.parts[:2]) for path in paths if path.parts[0] == ADAPTERS}) or [""]
    return {
        folder: {
            path.relative_to(folder).as_posix(): digest for path, digest in paths.items() if path.is_relative_to(folder)
        }
        for folder in folders
    }


def _manifest_faults(folder: Path, prefix: str, files: Mapping[str, str]) -> list[str]:
    where = f"{prefix}/" if prefix else ""
    try:
        manifest = json.loads((folder / prefix / MANIFEST).read_text(encoding="utf-8"))["files"]
        vouched = {name: file["sha256"] for name, file in manifest.items()} | {MANIFEST: files[MANIFEST]}
    except UNREADABLE:
        return [f"{where}{MANIFEST} is not readable as what it should be"]
    wrong = sorted(name for name in {*files, *vouched} if files.get(name) != vouched.get(name))
    return [f"{where}{name} is not what {where}{MANIFEST} says" for name in wrong]


def _dvc_id(folder: Path, files: Iterable[str]) -> str:
    """The id that DVC gives a folder of these files: the md5 of its list of them, each with its own md5."""
    listed = [{"md5": file_md5(folder / name), "relpath": name} for name in sorted(files)]
    return f"{hashlib.md5(json.dumps(listed).encode(), usedforsecurity=False).hexdigest()}.dir"
