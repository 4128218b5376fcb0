"""A DVC remote that does not answer is told by name with the remedy, and nothing is taken for lost."""

import socket
import subprocess
from pathlib import Path

import pytest

from stemma.errors import WorkspaceError
from stemma.lineage.store import Store
from tests.family import FamilyProject


@pytest.fixture
def address() -> str:
    """An address of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/store"


def test_it_is_named_with_its_remedy(tmp_path: Path, address: str) -> None:
    project = FamilyProject(tmp_path)
    subprocess.run(["dvc", "remote", "add", "--quiet", "--default", "far", address], cwd=project.path, check=True)
    with Store(project.path) as store:
        remote = store.remote
        assert remote is not None
        with pytest.raises(
            WorkspaceError, match=r"DVC remote far .* its server or disk is not there.*`dvc remote list`"
        ):
            remote.listed()
