"""A service is ready when it answers, and not when another project's server does in its place."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.service.kept import Kept
from flows.service.services import Service
from stemma.errors import ServiceError


def kept(tmp_path: Path, code: str, say: Callable[[str], None] = lambda _: None) -> Kept:
    service = Service("prefect", [sys.executable, "-c", code], tmp_path / "log", lambda: True)
    return Kept(service, tmp_path, os.environ, say)


def test_a_service_that_ended_is_not_ready_though_its_address_answers(tmp_path: Path) -> None:
    service = kept(tmp_path, "raise SystemExit('address already in use')")
    time.sleep(1)
    with pytest.raises(ServiceError, match=r"prefect does not answer.*\n.*address already in use"):
        service.await_ready()
    service.stop()


def test_a_service_that_answers_is_ready(tmp_path: Path) -> None:
    told: list[str] = []
    service = kept(tmp_path, "import time; time.sleep(60)", told.append)
    service.await_ready()
    (started,) = told
    number = started.removeprefix("prefect is started, process ")
    assert Path(f"/proc/{number}").is_dir()
    service.stop()
    assert not Path(f"/proc/{number}").exists()
