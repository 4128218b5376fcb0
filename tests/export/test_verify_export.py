"""The check of an export: whatever is done to the folder is found and named, and nothing else is complained of."""

import base64
import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stemma.cli import main
from stemma.export.envelope import seal, unseal
from stemma.export.keys import VARIABLE, key_id, public_pem
from stemma.export.verify import verify_export
from tests.exports import KEY, OTHER_KEY, Shop

STATEMENT = "provenance/statement.dsse.json"
SIGNER = "provenance/signer.pub.pem"


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    return shutil.copytree(exported, tmp_path / "model")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The signer's public key, as the signer gave it."""
    file = tmp_path / "signer.pem"
    file.write_bytes(public_pem(KEY.public_key()))
    return file


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_an_untouched_export_is_whole(folder: Path, key: Path, shop: Shop) -> None:
    for public in (key, None):
        found = verify_export(folder, public)
        assert found.faults == ()
        assert (found.title, found.artifact, found.files) == ("policy/1", shop.ppo, len(files_of(folder)))


def test_a_flipped_byte_is_found_in_every_file(folder: Path, key: Path) -> None:
    for file in files_of(folder):
        whole = file.read_bytes()
        name = file.relative_to(folder).as_posix()
        for position in {0, len(whole) // 2, len(whole) - 1}:
            file.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            (fault,) = verify_export(folder, key).faults
            assert fault.startswith(f"{name} "), fault
        file.write_bytes(whole)
    assert verify_export(folder, key).faults == ()


def test_every_byte_of_the_envelope_counts(folder: Path, key: Path) -> None:
    """Also those that base64 and JSON would let pass: unused bits, blanks, the order of keys."""
    envelope = folder / STATEMENT
    whole = envelope.read_bytes()
    unchecked = []
    for position in range(0, len(whole), 13):
        for mask in (1, 2, 32, 0x2A):
            envelope.write_bytes(whole[:position] + bytes([whole[position] ^ mask]) + whole[position + 1 :])
            if not verify_export(folder, key).faults:
                unchecked.append((position, mask))
    assert unchecked == []
    envelope.write_bytes(json.dumps(json.loads(whole)).encode())
    assert verify_export(folder, key).faults


def test_missing_extra_and_linked_files_are_named(folder: Path, key: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "sub" / "notes.txt").write_text("mine")
    (folder / "README.md").rename(folder.parent / "elsewhere")
    (folder / "README.md").symlink_to(folder.parent / "elsewhere")
    assert verify_export(folder, key).faults == (
        "README.md is no plain file",
        "sub/notes.txt is not part of the export",
        "config.json is missing",
    )


@pytest.mark.parametrize("name", [STATEMENT, SIGNER])
def test_without_statement_or_key_nothing_holds(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (fault,) = verify_export(folder).faults
    assert name in fault


def test_the_wrong_key_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_bytes(public_pem(OTHER_KEY.public_key()))
    (fault,) = verify_export(folder, tmp_path / "other.pem").faults
    assert f"is signed by key {key_id(KEY.public_key())}, not by key {key_id(OTHER_KEY.public_key())}" in fault


def forge(folder: Path, change: Callable[[Any], None], key: Ed25519PrivateKey) -> None:
    """Sign a changed statement with a key, and put that key into the folder."""
    told = json.loads(unseal((folder / STATEMENT).read_bytes(), KEY.public_key()))
    (folder / SIGNER).write_bytes(public_pem(key.public_key()))
    change(told)
    (folder / STATEMENT).write_bytes(seal(json.dumps(told).encode(), key))


def test_a_forger_who_signs_anew_is_found_by_the_signers_key_alone(folder: Path, key: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"evil")

    def admit(told: Any) -> None:
        digests = {"model.safetensors": sha256(b"evil").hexdigest()}
        digests[SIGNER] = sha256((folder / SIGNER).read_bytes()).hexdigest()
        for item in (*told["subject"], *told["predicate"]["runDetails"]["byproducts"]):
            item["digest"]["sha256"] = digests.get(item["name"], item["digest"]["sha256"])

    forge(folder, admit, OTHER_KEY)
    (fault,) = verify_export(folder, key).faults
    assert "is signed by key" in fault
    (fault,) = verify_export(folder).faults
    assert "the model's files together are" in fault


def test_documents_that_tell_of_other_artifacts_are_named(folder: Path, key: Path, shop: Shop) -> None:
    """The signer's key is right and every hash holds, but the statement leaves an ancestor out."""

    def leave_out(told: Any) -> None:
        build = told["predicate"]["buildDefinition"]
        kept = [item for item in build["resolvedDependencies"] if item["annotations"].get("dvcId") != shop.label]
        build["resolvedDependencies"] = kept

    forge(folder, leave_out, KEY)
    faults = verify_export(folder, key).faults
    assert len(faults) == 4
    assert all(f"tells of other artifacts than the statement: {shop.label}" in fault for fault in faults)


@pytest.mark.parametrize("payload", [b"[]", b"{}", b"\xff", b'{"_type": "x", "predicateType": "y", "predicate": {}}'])
def test_a_signed_statement_of_another_kind_is_refused(folder: Path, key: Path, payload: bytes) -> None:
    (folder / STATEMENT).write_bytes(seal(payload, KEY))
    (fault,) = verify_export(folder, key).faults
    assert "holds no statement about a model" in fault


def test_a_second_signature_is_no_first_one(folder: Path, key: Path) -> None:
    envelope = json.loads((folder / STATEMENT).read_bytes())
    envelope["signatures"].append({"keyid": "x", "sig": base64.b64encode(b"x").decode()})
    (folder / STATEMENT).write_text(json.dumps(envelope, indent=2) + "\n")
    (fault,) = verify_export(folder, key).faults
    assert "is no envelope with one signature" in fault


def test_the_commands_from_key_to_check(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signing = tmp_path / "keys" / "signing.pem"
    monkeypatch.setenv(VARIABLE, str(signing))
    monkeypatch.chdir(shop.path)
    to = ["--to", str(tmp_path / "model")]
    assert main(["export", "policy/1", *to]) == 2
    assert f"there is no signing key at {signing}; `stemma export … --new-key` makes one" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    assert main(["export", "policy/1", *to, "--new-key"]) == 0
    assert signing.stat().st_mode & 0o777 == 0o600
    assert f"made a signing key: {signing}" in capsys.readouterr().out

    monkeypatch.chdir(tmp_path)
    assert main(["verify-export", "model"]) == 0
    assert "not who signed it" in capsys.readouterr().out
    assert main(["verify-export", "model", "--key", f"model/{SIGNER}"]) == 0
    assert "not who signed it" not in capsys.readouterr().out
    (tmp_path / "model" / "config.json").write_text("[]")
    assert main(["verify-export", "model"]) == 1
    assert "config.json changed" in capsys.readouterr().out
    assert main(["verify-export", "nowhere"]) == 2


def test_a_key_is_never_overwritten_nor_used_when_others_may_read_it(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signing = tmp_path / "signing.pem"
    signing.write_bytes(b"an old friend")
    signing.chmod(0o600)
    monkeypatch.setenv(VARIABLE, str(signing))
    monkeypatch.chdir(shop.path)
    command = ["export", "policy/1", "--to", str(tmp_path / "model")]
    assert main([*command, "--new-key"]) == 2
    assert "already; leave --new-key out" in capsys.readouterr().err
    assert main(command) == 2
    assert "holds no private key" in capsys.readouterr().err
    signing.chmod(0o644)
    assert main(command) == 2
    assert "others may read the signing key" in capsys.readouterr().err
    assert signing.read_bytes() == b"an old friend"
    assert list(tmp_path.iterdir()) == [signing]
