"""The label site as an ASGI application."""

import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from stemma.errors import LabelError
from stemma.labelling.store.database import StoreFailedError
from stemma.labelling.store.store import LabelStore
from stemma.labelling.web import admin_pages, label_pages, sign_in_pages
from stemma.labelling.web.guard import Allowance, Guard
from stemma.labelling.web.pages import STATIC, message, page, static_file
from stemma.labelling.web.visit import NotAllowedError, SignedOutError, StaleFormError

log = logging.getLogger("stemma.labelling")
YEAR = 365 * 24 * 3600
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
"""Traces would hold the paths of the personal links."""
THREADS = 8
FRESH_SECONDS = 3.0


def make_app(store: LabelStore) -> ASGIApp:
    """Make the site of a label store."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, telemetry=NO_TELEMETRY, lifespan=_few_threads)
    app.state.store = store
    app.state.sign_in_failures = Allowance(at_once=10, a_second=1 / 6)
    app.state.items_left = Remembered(store.desk.items_left)
    for module in (sign_in_pages, label_pages, admin_pages):
        app.include_router(module.routes)
    app.add_api_route("/static/{name}", static)
    app.add_exception_handler(SignedOutError, _signed_out)
    app.add_exception_handler(StaleFormError, _stale_form)
    app.add_exception_handler(NotAllowedError, _not_allowed)
    app.add_exception_handler(LabelError, _label_error)
    app.add_exception_handler(StoreFailedError, _store_failed)
    app.add_exception_handler(404, _not_found)
    app.add_exception_handler(RequestValidationError, _not_found)
    app.add_exception_handler(Exception, _broken)
    return Guard(app, a_session=Allowance(at_once=100, a_second=20))


@asynccontextmanager
async def _few_threads(_: FastAPI) -> AsyncGenerator[None]:
    # Requests wait in line for a thread, and first come is first served; many threads would wait for each other.
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


class Remembered:
    """Counts that may be some seconds old, because counting a whole batch for every page would not be quick."""

    def __init__(self, count: Callable[[str], tuple[int, int]]) -> None:
        self._count, self._lock = count, threading.Lock()
        self._known: dict[str, tuple[float, tuple[int, int]]] = {}

    def __call__(self, batch_id: str) -> tuple[int, int]:
        """The counts of a batch."""
        with self._lock:
            known = self._known.get(batch_id)
            if known is None or known[0] < time.monotonic():
                known = time.monotonic() + FRESH_SECONDS, self._count(batch_id)
                self._known[batch_id] = known
            return known[1]


def static(name: str) -> Response:
    """A static file; its address changes with its content, so it may be kept."""
    if name not in STATIC:
        return message("Not found", "There is no such file.", status=404)
    headers = {"Cache-Control": f"public, max-age={YEAR}, immutable"}
    return Response(static_file(name), media_type=STATIC[name], headers=headers)


def _signed_out(_: Request, __: Exception) -> Response:
    return page("sign_in", status=401)


def _stale_form(_: Request, __: Exception) -> Response:
    # The page's script loads the page again on 419 and sends what it kept with the new form.
    return message(
        "This form is out of date", "You signed in again since. Go back, and load the page again.", None, 419
    )


def _not_allowed(_: Request, __: Exception) -> Response:
    return message("Not for you", "This page is for admins.", status=403)


def _not_found(_: Request, __: Exception) -> Response:
    return message("Not found", "There is no such page.", status=404)


def _store_failed(_: Request, error: Exception) -> Response:
    log.error("%s", error)
    words = "The label store does not answer. Load the page again in a minute; what was saved is kept."
    return message("Not now", words, status=503)


def _broken(_: Request, __: Exception) -> Response:
    return message(
        "Something broke", "It is in the server's log. Load the page again; what was saved is kept.", status=500
    )


def _label_error(_: Request, error: Exception) -> Response:
    return message("That did not work", f"{error}.", status=400)
