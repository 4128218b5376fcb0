"""An export is whole or not there, the same every time, and never of bytes that nobody vouches for."""

import json
import os
import shutil
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from stemma.errors import ArtifactError, WorkspaceError
from stemma.export.verify import verify_export
from stemma.lineage.forgotten import Tombstones
from tests.exports import Shop
from tests.family import Made, copy_of
from tests.killing import Write, killed_before

WRITES = [Write(Path, name) for name in ("mkdir", "rename", "write_bytes")]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_model_gives_the_same_bytes_by_whatever_name(shop: Shop, exported: Path, tmp_path: Path) -> None:
    elsewhere = Shop.__new__(Shop)
    elsewhere.project = copy_of(shop.project, tmp_path / "clone")
    expected = contents(exported)
    for name in ("policy/1", "calm", shop.commit[:12], shop.ppo):
        elsewhere.export(tmp_path / name.replace("/", "-"), name)
        assert contents(tmp_path / name.replace("/", "-")) == expected, name
    told = b"".join(content for name, content in expected.items() if name != "model.safetensors")
    for place in (str(shop.path), str(elsewhere.path), "/home/ada", os.uname().nodename):
        assert place.encode() not in told, place


def test_the_files_are_the_artifacts(shop: Shop, exported: Path) -> None:
    found = contents(exported)
    assert found["model.safetensors"] == shop.weights
    assert found["sub/notes.json"] == b"[]\n"
    assert sha256(found["manifest.json"]).hexdigest() == shop.project.manifest_sha256(shop.ppo)


def test_a_folder_that_holds_something_is_refused_and_an_empty_one_taken(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all my work")
    with pytest.raises(WorkspaceError, match="is not empty"):
        shop.export(tmp_path / "mine")
    assert contents(tmp_path / "mine") == {"thesis.tex": b"all my work"}
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="is no folder"):
        shop.export(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    shop.export(tmp_path / "empty")
    assert verify_export(tmp_path / "empty").faults == ()


def damaged(shop: Shop, path: Path, artifact: str, name: str) -> Shop:
    """A copy of the project in whose cache one file of an artifact has a byte turned."""
    torn = Shop.__new__(Shop)
    torn.project = copy_of(shop.project, path)
    listed = {item["relpath"]: item["md5"] for item in json.loads(torn.project.place(artifact).read_bytes())}
    place = torn.project.place(listed[name])
    place.chmod(0o644)
    place.write_bytes(bytes([place.read_bytes()[0] ^ 1]) + place.read_bytes()[1:])
    return torn


@pytest.mark.parametrize("name", ["model.safetensors", "manifest.json"])
def test_damaged_bytes_are_never_given_away(shop: Shop, tmp_path: Path, name: str) -> None:
    torn = damaged(shop, tmp_path / "torn", shop.ppo, name)
    with pytest.raises(ArtifactError, match=r"(no good copy of|is damaged in) .*stemma verify"):
        torn.export(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["torn"]


def test_a_good_copy_on_the_remote_is_taken_instead(shop: Shop, tmp_path: Path, exported: Path) -> None:
    torn = damaged(shop, tmp_path / "torn", shop.ppo, "model.safetensors")
    shutil.copytree(shop.project.cache, tmp_path / "remote" / "files" / "md5")
    config = f"['remote \"far\"']\n    url = {tmp_path / 'remote'}\n[core]\n    remote = far\n"
    (torn.path / ".dvc" / "config.local").write_text(config)
    torn.export(tmp_path / "model")
    assert contents(tmp_path / "model") == contents(exported)


def test_an_ancestor_that_nobody_vouches_for_stops_it(shop: Shop, tmp_path: Path) -> None:
    torn = damaged(shop, tmp_path / "torn", shop.label, "manifest.json")
    with pytest.raises(ArtifactError, match=r"manifest\.json of artifact .* is damaged"):
        torn.export(tmp_path / "model")
    other = shop.project.artifact("ppo", {"model.safetensors": b"x"}, {"base": "0" * 64})
    shop.project.run("forged", [Made("ppo", other, 1, {"artifacts/base": shop.base})])
    with pytest.raises(ArtifactError, match="names other inputs than the record of run forged"):
        shop.export(tmp_path / "model", "forged")


def test_data_and_tainted_models_are_not_exported(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is no model but data"):
        shop.export(tmp_path / "model", shop.label)
    tainted = Shop.__new__(Shop)
    tainted.project = copy_of(shop.project, tmp_path / "tainted")
    Tombstones(tainted.path).add("forget", {}, {shop.label: "annotator 1 asked"}, {})
    with pytest.raises(ArtifactError, match=r"may not be given away: label .* is tainted"):
        tainted.export(tmp_path / "model")


def test_a_kill_anywhere_leaves_no_folder_and_the_next_export_sweeps(shop: Shop, tmp_path: Path) -> None:
    """Killed before its n-th write, for every n; then the same export succeeds and leaves nothing else behind."""
    for step in range(60):
        target = tmp_path / f"{step}" / "model"
        if not killed_before(step, partial(shop.export, target), *WRITES):
            assert step > 12, "nothing was interrupted"
            return
        assert not target.exists()
        shop.export(target)
        assert [path.name for path in target.parent.iterdir()] == ["model"]
        assert verify_export(target, None).faults == ()
    pytest.fail("the export never ended")
