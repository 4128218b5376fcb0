"""Policies that are stored as adapters."""

import pytest

from tests.adapted import AdaptedPolicies


@pytest.fixture(scope="session")
def adapted_policies(tmp_path_factory: pytest.TempPathFactory) -> AdaptedPolicies:
    return AdaptedPolicies(tmp_path_factory.mktemp("adapted") / "project")
