import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Make a project's folder with the real dvc.yaml and the given settings, and work in it."""

    def make(**params: Any) -> Path:
        shutil.copy(ROOT / "dvc.yaml", tmp_path)
        YAML().dump({"seed": 0, **params}, tmp_path / "params.yaml")
        (tmp_path / "inputs" / "data").mkdir(parents=True, exist_ok=True)
        return tmp_path

    monkeypatch.chdir(tmp_path)
    return make
