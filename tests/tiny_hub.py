"""A Hub on this machine: one repository at one commit, served over HTTP as the real one serves it."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "tiny/llama"


class _Hub(BaseHTTPRequestHandler):
    files: Path
    asked: list[str]
    lost: str

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        tree = f"/api/models/{REPOSITORY}/tree/{COMMIT}"
        prefix = f"/{REPOSITORY}/resolve/{COMMIT}/"
        if path == tree:
            self._send(json.dumps(self._tree()).encode(), with_body)
        elif path.startswith(prefix) and (self.files / path.removeprefix(prefix)).is_file():
            if with_body and self.lost and path.endswith(self.lost):
                self.close_connection = True  # and says nothing
                return
            self._send((self.files / path.removeprefix(prefix)).read_bytes(), with_body)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound" if REPOSITORY not in path else "RevisionNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _tree(self) -> list[dict[str, object]]:
        paths = sorted(path for path in self.files.rglob("*") if path.is_file())
        return [
            {
                "type": "file",
                "path": path.relative_to(self.files).as_posix(),
                "size": path.stat().st_size,
                "oid": _etag(path.read_bytes()),
            }
            for path in paths
        ]

    def _send(self, body: bytes, with_body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{_etag(body)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _etag(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()  # noqa: S324 (Git's own kind of hash)


@contextmanager
def tiny_hub(files: Path, lost: str = "") -> Iterator[tuple[str, list[str]]]:
    """Serve a folder's files as the repository; yields the address, and the paths asked for so far.

    The connection ends without an answer where a file is asked for whose name ends with `lost`.
    """
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (_Hub,), {"files": files, "asked": asked, "lost": lost}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
