import errno
import os
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from stemma.errors import ArtifactError, ServiceError, SettingsError
from stemma.models.hub import check_folder, content_digest, fetch, taken_files
from stemma.stage.manifest import file_sha256
from tests.tiny_hub import COMMIT, REPOSITORY, tiny_hub


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "original").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "pytorch_model.bin", "modeling_own.py"):
        (folder / name).write_text(f"{name}: its content\n")
    (folder / "original" / "model.safetensors").write_text("a second copy\n")
    return folder


def test_only_weights_settings_and_tokenizer_are_fetched(repository: Path) -> None:
    with tiny_hub(repository) as (address, asked):
        folder = fetch(REPOSITORY, COMMIT, address)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert not [path for path in asked if path.endswith((".bin", ".py"))]


def test_the_tokenizer_is_fetched_without_the_weights_and_the_weights_later(repository: Path) -> None:
    with tiny_hub(repository) as (address, asked):
        folder = fetch(REPOSITORY, COMMIT, address, weights=False)
        assert sorted(path.name for path in folder.iterdir()) == ["config.json", "tokenizer.json"]
        assert not [path for path in asked if path.endswith(".safetensors")]
        assert (fetch(REPOSITORY, COMMIT, address) / "model.safetensors").is_file()


def test_what_was_fetched_once_needs_no_hub(repository: Path) -> None:
    with tiny_hub(repository) as (address, _):
        first = fetch(REPOSITORY, COMMIT, address)
    assert fetch(REPOSITORY, COMMIT, "http://127.0.0.1:9") == first


@pytest.mark.parametrize("lost", ["the Hub", "the connection"])
def test_a_hub_that_is_gone_before_the_weights_are_fetched_is_told_with_what_is_there(
    lost: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data stage fetches the tokenizer, the base stage the weights."""
    monkeypatch.setattr("time.sleep", lambda _: None)  # between the library's attempts
    with tiny_hub(repository, lost=".safetensors") as (address, _):
        fetch(REPOSITORY, COMMIT, address, weights=False)
        with pytest.raises(ServiceError) as caught:
            fetch(REPOSITORY, COMMIT, address if lost == "the connection" else "http://127.0.0.1:9")
    told = str(caught.value)
    assert told.startswith(f"the Hub cannot be reached for {REPOSITORY} at commit {COMMIT}: ")
    assert "fetched before: config.json, tokenizer.json. " in told
    assert "Run again when the Hub can be reached: finished stages and fetched files are used again" in told
    assert "base.source=folder" in told
    assert "HF_TOKEN" not in told


@pytest.mark.parametrize("name", ["a/b--c", "a/b/c"])
def test_a_name_that_no_repository_can_have_is_told(name: str) -> None:
    with pytest.raises(SettingsError, match=f"base.model '{name}' is no name of a Hub repository"):
        fetch(name, COMMIT, "http://127.0.0.1:9")


def test_a_cache_that_cannot_be_written_is_no_fault_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = tmp_path / "a-file"
    taken.write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(taken))
    for number, expected, words in (
        (errno.EACCES, ServiceError, "cannot be kept in .*a-file.*Permission denied"),
        (errno.ENOSPC, OSError, "No space left"),
        (errno.ENOMEM, OSError, "Cannot allocate memory"),
    ):

        def fails(*_: object, number: int = number, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("stemma.models.hub.snapshot_download", fails)
        with pytest.raises(expected, match=words):
            fetch(REPOSITORY, COMMIT, "http://127.0.0.1:9")


@pytest.mark.parametrize(("name", "commit"), [("tiny/other", COMMIT), (REPOSITORY, "f" * 40)])
def test_what_the_hub_does_not_have_is_told(repository: Path, name: str, commit: str) -> None:
    with tiny_hub(repository) as (address, _), pytest.raises(ServiceError, match=f"^{name} at commit {commit} cannot"):
        fetch(name, commit, address)


def test_files_are_recorded_by_sha256(repository: Path) -> None:
    assert taken_files(repository) == {
        name: file_sha256(repository / name) for name in ("config.json", "model.safetensors", "tokenizer.json")
    }


def test_pickled_weights_are_refused(repository: Path) -> None:
    (repository / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match="holds no weights as safetensors"):
        taken_files(repository)


def test_a_folder_must_hold_what_the_settings_name(repository: Path) -> None:
    digest = content_digest(repository)
    assert check_folder(repository, digest) == repository
    (repository / "README.md").write_text("not taken, so it does not count\n")
    assert content_digest(repository) == digest
    (repository / "config.json").write_text("other\n")
    with pytest.raises(SettingsError, match=f"its content is {content_digest(repository)}"):
        check_folder(repository, digest)
    shutil.rmtree(repository)
    with pytest.raises(SettingsError, match="is not a folder"):
        check_folder(repository, digest)
