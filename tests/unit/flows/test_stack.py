"""Whether a project's own stack runs, by its record and its lock."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows.service.stack import Stack, running_prefect, stack_lock, write_stack
from stemma.stage.locks import lock


class Healthy(BaseHTTPRequestHandler):
    """A server that answers whatever it is asked, as another project's Prefect would."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("state", ["ready", "failed"])
def test_a_record_that_a_dead_stack_left_names_no_server(tmp_path: Path, address: str, state: str) -> None:
    with lock(stack_lock(tmp_path)):
        write_stack(tmp_path, Stack(1, state, "", {"prefect": address}))
        assert running_prefect(tmp_path) == f"{address}/api"
    assert running_prefect(tmp_path) is None


def test_without_a_stack_there_is_none(tmp_path: Path) -> None:
    assert running_prefect(tmp_path) is None
