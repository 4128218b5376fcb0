"""One stack for the tests of each file."""

import shutil
from collections.abc import Iterator

import pytest

from benchmarks.postgres import find_postgres
from tests.stack.stack import Stack

MISSING = [
    name for name, found in (("postgresql", find_postgres()), ("chromium", shutil.which("chromium"))) if not found
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if MISSING:
        pytest.skip(f"apt-get install {' '.join(MISSING)}")
    started = Stack(tmp_path_factory.mktemp("stack"))
    try:
        started.start()
        yield started
    finally:
        started.stop()
