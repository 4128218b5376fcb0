"""A model to export, and its export."""

from pathlib import Path

import pytest

from tests.exports import Shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop") / "project")


@pytest.fixture(scope="session")
def exported(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "model"
    shop.export(folder)
    return folder
