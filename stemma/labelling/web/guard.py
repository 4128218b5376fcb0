"""What stands before every page: headers, limits and the access log."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
LONGEST_BODY = 64 * 1024
COOKIE = "stemma_labels"
MOST_KNOWN = 10_000

access = logging.getLogger("stemma.labelling.access")


class Allowance:
    """So many acts at once, and so many a second after that, for each key."""

    def __init__(self, at_once: int, a_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once, self._a_second, self._clock = at_once, a_second, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def left(self, key: str) -> float:
        """How many acts a key has left."""
        now = self._clock()
        left, since = self._left.get(key, (float(self._at_once), now))
        return min(float(self._at_once), left + (now - since) * self._a_second)

    def use(self, key: str) -> bool:
        """Take one of a key's acts; returns whether there was one."""
        left = self.left(key)
        self._left[key] = (left - 1 if left >= 1 else left, self._clock())
        self._left.move_to_end(key)
        if len(self._left) > MOST_KNOWN:
            self._left.popitem(last=False)
        return left >= 1


class Guard:
    """Adds the headers, refuses what is too much or too fast, and logs what was asked for, without secrets."""

    def __init__(self, app: ASGIApp, a_session: Allowance) -> None:
        self._app, self._a_session = app, a_session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, scope["path"])
            await send(message)

        try:
            await self._answer(scope, receive, send_guarded)
        finally:
            took = (time.perf_counter() - began) * 1000
            access.info("%s %s %d %.0f ms", scope["method"], _without_secrets(scope["path"]), status, took)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if not self._a_session.use(session_secret(headers) or address(scope)):
            words = "Too many requests; wait a moment."
            await PlainTextResponse(words, 429, {"Retry-After": "2"})(scope, receive, send)
            return
        body = await _body(headers, receive)
        if body is None:
            await PlainTextResponse("That is more than this page takes.", 413)(scope, receive, send)
            return
        rest = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive_body() -> Message:
            return next(rest, None) or await receive()

        await self._app(scope, receive_body, send)


def session_secret(headers: Headers) -> str | None:
    """The session's secret in the cookie, where there is one."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return cookie.value if cookie else None


def address(scope: Scope) -> str:
    """Where a request comes from."""
    client = scope.get("client")
    return client[0] if client else ""


async def _body(headers: Headers, receive: Receive) -> bytes | None:
    """All of a request's body; None where it is longer than a form can be, or broke off."""
    told = headers.get("content-length", "0")
    if not told.isdigit() or int(told) > LONGEST_BODY:
        return None
    body = b""
    more = True
    while more and len(body) <= LONGEST_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body if len(body) <= LONGEST_BODY else None


def _add_headers(message: Message, path: str) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers[name] = value
    if not path.startswith("/static/"):
        headers["Cache-Control"] = "no-store"


def _without_secrets(path: str) -> str:
    return "/sign-in/..." if "sign-in" in path else path.encode("unicode_escape").decode()
