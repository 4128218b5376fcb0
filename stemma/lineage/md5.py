"""The md5 of a file, by which DVC names it."""

import hashlib
from pathlib import Path


def file_md5(path: Path) -> str:
    """The md5 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
