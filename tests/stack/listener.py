"""A little HTTP server that a notification is sent to, and keeps what it was told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.stack.waiting import until


class Listener:
    """Takes every POST, on a port and a path of its own."""

    path = "/secret-path"

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_right = self.path == listener.path and self.headers["Content-Type"] == "application/json"
                if is_right:
                    listener.heard.append(json.loads(body))
                self.send_response(204 if is_right else 404)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}{self.path}"

    def told_of(self, happening: str, begins: str = "") -> str:
        """Wait until it has been told of a happening in words that begin so; all of the words."""

        def told() -> list[str]:
            words = [str(one["words"]) for one in self.heard if one["happening"] == happening]
            return [one for one in words if one.startswith(begins)]

        return until(told, happening, 120)[-1]

    def stop(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()
