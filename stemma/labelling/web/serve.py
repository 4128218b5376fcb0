"""Serving the label site until it is stopped."""

import logging
import threading
from collections.abc import Callable

import uvicorn

from stemma.errors import ServiceError, StemmaError
from stemma.labelling.store.store import LabelStore
from stemma.labelling.web.app import make_app

SECONDS_BETWEEN_LOOKS = 3.0
SECONDS_TO_STOP = 5
KEEP_ALIVE_SECONDS = 75
"""Longer than most items are looked at: a new connection costs a round trip."""

log = logging.getLogger("stemma.labelling")


def serve(store: LabelStore, host: str, port: int, announce: Callable[[LabelStore], object]) -> None:
    """Serve the site; meanwhile call `announce` every few seconds, to pass on which batches have ended.

    Raises ServiceError where the port is taken.
    """
    _log_to_stderr()
    stopped = threading.Event()
    threading.Thread(target=_announce_until, args=(stopped, store, announce), daemon=True).start()
    try:
        make_server(store, host, port).run()
    except SystemExit:
        raise ServiceError(f"the label page cannot be served on {host}:{port}; is the port taken? Try --port") from None
    finally:
        stopped.set()


def make_server(store: LabelStore, host: str, port: int) -> uvicorn.Server:
    """Make a server of the site."""
    config = uvicorn.Config(
        make_app(store),
        host=host,
        port=port,
        # Its own access log would hold the tokens of the personal links; ours does not.
        access_log=False,
        log_level="warning",
        server_header=False,
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SECONDS_TO_STOP,
    )
    return uvicorn.Server(config)


def _announce_until(stopped: threading.Event, store: LabelStore, announce: Callable[[LabelStore], object]) -> None:
    while not stopped.wait(SECONDS_BETWEEN_LOOKS):
        try:
            announce(store)
        except StemmaError as error:
            log.warning("%s", error)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for name in ("stemma.labelling", "stemma.labelling.access"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.handlers = [handler]
