"""A chat endpoint on this machine that answers as a test wants it to, faults of a network among its answers."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """What the server sends back; `cut` closes the connection in the middle instead."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


Answer = Callable[[Body, int], Answered]
"""Answers a request's body; the number counts requests from 1."""


def completion(
    text: str, logprobs: Mapping[str, float] | None = None, finish_reason: str = "stop", **more: Any
) -> Answered:
    """A chat completion; `logprobs` are of the first token's alternatives."""
    choice: Body = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    if logprobs is not None:
        top = [{"token": token, "logprob": logprob} for token, logprob in logprobs.items()]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    told = {"model": "toy", "choices": [choice], "usage": {"total_tokens": 10}, **more}
    return Answered(json.dumps(told).encode())


@dataclass
class ChatServer:
    """A running server."""

    url: str
    asked: list[Body] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """A client that gave up is what some tests want."""


@contextmanager
def chat_server(answer: Answer) -> Iterator[ChatServer]:
    """Serve until the block ends."""
    told = ChatServer("")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                told.asked.append(body)
                told.headers.append(dict(self.headers))
                number = len(told.asked)
            self._send(answer(body, number))

        def _send(self, answered: Answered) -> None:
            self.send_response(answered.status)
            for name, value in answered.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answered.body)))
            self.end_headers()
            if answered.cut:
                self.wfile.write(answered.body[: len(answered.body) // 2])
                self.close_connection = True
                self.connection.close()
                return
            self.wfile.write(answered.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
