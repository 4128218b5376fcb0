"""Model files from elsewhere: a Hub repository at one commit, or a folder with one content. Nothing in them is run."""

import errno
import hashlib
import json
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.file_download import repo_folder_name

from stemma.errors import ArtifactError, ServiceError, SettingsError
from stemma.stage.manifest import file_sha256

TAKEN = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)
"""Weights as safetensors, settings, and tokenizer files; never pickles, never code."""
DIGEST_LENGTH = 40


WEIGHTS = "*.safetensors"
NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT}
"""What an error says that is about the folder of the Hub's cache, not about the Hub."""


def fetch(repository: str, revision: str, endpoint: str | None = None, weights: bool = True) -> Path:
    """The files of a Hub repository at a commit, or all but its weights, downloaded once into the Hub's own cache.

    Raises ServiceError where they can be had neither from there nor from the Hub, or cannot be kept; SettingsError
    where no repository can have that name. A full disk and a full memory are errors of their own, which pass.
    """
    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=[name for name in TAKEN if weights or name != WEIGHTS],
                ignore_patterns=["*/*"],  # many repositories hold a second copy in a folder
                endpoint=endpoint,
            )
        )
    except HfHubHTTPError as error:
        if error.response.status_code >= 500:
            raise _unreachable(repository, revision, error) from error
        raise ServiceError(
            f"{repository} at commit {revision} cannot be fetched from the Hub: {_first_line(error)} "
            "Check base.model and base.revision; a gated model needs your token in HF_TOKEN."
        ) from error
    except HFValidationError as error:
        raise SettingsError(
            f"base.model {repository!r} is no name of a Hub repository, which is OWNER/NAME: {_first_line(error)}"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # the classes of a connection's errors are those of the Hub client's HTTP library
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.ENOMEM}:
            raise
        if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
            raise ServiceError(
                f"{repository} at commit {revision} cannot be kept in {constants.HF_HUB_CACHE}: {_first_line(error)} "
                "Make room or give the right to write there, or name another folder in HF_HUB_CACHE."
            ) from error
        raise _unreachable(repository, revision, error) from error


def _unreachable(repository: str, revision: str, error: Exception) -> ServiceError:
    fetched = ", ".join(_fetched_before(repository, revision)) or "nothing"
    return ServiceError(
        f"the Hub cannot be reached for {repository} at commit {revision}: {_first_line(error)} Of it was fetched "
        f"before: {fetched}. Run again when the Hub can be reached: finished stages and fetched files are used again. "
        "To go on without the Hub, copy the whole repository to a folder and set base.source=folder."
    )


def _fetched_before(repository: str, revision: str) -> list[str]:
    name = repo_folder_name(repo_id=repository, repo_type="model")
    folder = Path(constants.HF_HUB_CACHE) / name / "snapshots" / revision
    return sorted(path.name for path in folder.glob("*") if path.is_file())


def _first_line(error: Exception) -> str:
    """The first line of what the error says, with a full stop."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return line if line.endswith(".") else f"{line}."


def check_folder(folder: Path, revision: str) -> Path:
    """Compare a folder's content with the content that the settings name, so that they alone say what is trained on.

    Raises SettingsError telling the content's digest where it is another, or where there is no such folder.
    """
    if not folder.is_dir():
        raise SettingsError(f"base.model: {folder} is not a folder")
    found = content_digest(folder)
    if found != revision:
        raise SettingsError(f"base.revision: {folder} holds other files than {revision}; its content is {found}")
    return folder


def taken_files(folder: Path) -> dict[str, str]:
    """The names of a folder's files that are taken, each with its sha256.

    Raises ArtifactError where no weights are among them.
    """
    names = sorted(path.name for path in folder.iterdir() if any(fnmatch(path.name, taken) for taken in TAKEN))
    if not any(name.endswith(".safetensors") for name in names):
        raise ArtifactError(
            f"{folder} holds no weights as safetensors. Pickled weights (pytorch_model.bin) can run code when they are "
            "loaded and are refused: take a revision that has safetensors, or convert them first."
        )
    return {name: file_sha256(folder / name) for name in names}


def content_digest(folder: Path) -> str:
    """One digest (40 hexadecimal digits) for the content of all files that are taken."""
    return hashlib.sha256(json.dumps(taken_files(folder), sort_keys=True).encode()).hexdigest()[:DIGEST_LENGTH]
