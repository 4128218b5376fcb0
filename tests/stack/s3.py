"""moto's S3 server on loopback, which can be told to answer 500 for a while."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

import boto3
import httpx
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "stemma"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "stemma",
    "AWS_SECRET_ACCESS_KEY": "stemma",  # of a server that asks for none
    "AWS_DEFAULT_REGION": "us-east-1",
}


class S3:
    """The server, with one empty bucket."""

    def __init__(self) -> None:
        self.is_ill = False
        """Whether it answers every request with 500."""
        self.refused = 0
        """Requests that it answered so."""
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.client().create_bucket(Bucket=BUCKET)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def client(self) -> Any:
        """A client of it."""
        return boto3.client(  # type: ignore[no-untyped-call]
            "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="stemma",
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def keys(self, prefix: str) -> list[str]:
        """The names of the objects below a prefix."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def stop(self) -> None:
        """Stop it; what it held is gone, which moto would keep for the next one of this process."""
        httpx.post(f"{self.url}/moto-api/reset").raise_for_status()
        self._server.shutdown()
        self._thread.join()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self.is_ill:
            self.refused += 1
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"ill"]
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer
