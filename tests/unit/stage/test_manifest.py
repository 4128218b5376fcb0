"""The manifest vouches for every byte of an artifact and names its inputs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stemma.errors import ArtifactError
from stemma.stage.manifest import MANIFEST, file_sha256, read_manifest, verify_manifest, write_manifest


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    parent, child = tmp_path / "parent", tmp_path / "child"
    for folder in (parent, child / "sub"):
        folder.mkdir(parents=True)
    (parent / "a.txt").write_text("a")
    write_manifest(parent, "data", {})
    (child / "model.bin").write_bytes(b"weights")
    (child / "sub" / "x.json").write_text("{}")
    write_manifest(child, "sft", {"data": parent})
    return child


def test_it_lists_files_and_inputs(artifact: Path) -> None:
    manifest = read_manifest(artifact)
    assert manifest["stage"] == "sft"
    assert set(manifest["files"]) == {"model.bin", "sub/x.json"}
    assert manifest["files"]["model.bin"]["size"] == len(b"weights")
    assert manifest["inputs"] == {"data": file_sha256(artifact.parent / "parent" / MANIFEST)}
    verify_manifest(artifact)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / "model.bin").write_bytes(b"Weights"), r"model\.bin changed: sha256 .*dvc pull"),
        (lambda folder: (folder / "sub" / "x.json").unlink(), r"sub/x\.json is missing"),
        (lambda folder: (folder / "new").write_text(""), r"new is not part of the artifact"),
        (lambda folder: (folder / MANIFEST).unlink(), r"not a whole artifact.*dvc checkout"),
        (lambda folder: (folder / MANIFEST).write_text("{"), r"is damaged"),
    ],
)
def test_any_harm_is_named(artifact: Path, harm: Callable[[Path], object], message: str) -> None:
    harm(artifact)
    with pytest.raises(ArtifactError, match=message):
        verify_manifest(artifact)


def test_the_same_content_has_the_same_manifest(artifact: Path) -> None:
    before = (artifact / MANIFEST).read_bytes()
    write_manifest(artifact, "sft", {"data": artifact.parent / "parent"})
    assert (artifact / MANIFEST).read_bytes() == before
    assert "sha256" in json.loads(before)["files"]["model.bin"]
