"""Asking a chat endpoint: again after faults that pass, with growing pauses, and never beyond what it may cost."""

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from stemma.errors import ServiceError, SettingsError
from stemma.judging.ai_settings import EndpointConfig
from stemma.judging.reply import UnreadableError
from stemma.records.types import Conversation

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds; the pause doubles with every attempt, and is drawn between half of it and all of it."""
LONGEST_ASKED_PAUSE = 300.0
"""Seconds that a server may ask us to wait; where it asks for more, the stage stops and says so."""
NOT_NOW = (429, 503)
"""The server is busy: as long as it says so, no question has a better chance."""
REFUSED = (400, 413, 422)
"""The server takes the question itself amiss, for instance as too long."""
SHOWN_CHARS = 300


class _LaterError(Exception):
    """The same question may be answered later."""

    def __init__(self, reason: str, pause: float = 0.0, of_server: bool = False) -> None:
        super().__init__(reason)
        self.pause = pause
        self.of_server = of_server
        """Whether the server as a whole cannot be used, and not just for this question."""


@dataclass
class Spending:
    """What has been asked for so far."""

    requests: int = 0
    tokens: int = 0


class ChatClient:
    """A client of one endpoint; use it as an asynchronous context."""

    def __init__(self, config: EndpointConfig, spent: Spending) -> None:
        """What is asked for adds to what is spent already.

        Raises SettingsError where the key's environment variable is not set, or holds no key.
        """
        self._spent = spent
        self._config = config
        self._key = _key(config)
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = httpx.Limits(max_connections=config.concurrency)
        self._http = httpx.AsyncClient(headers=headers, timeout=config.timeout, limits=limits)
        self._stopped = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def stop(self) -> None:
        """Let the requests under way be the last: nothing is asked again after this."""
        self._stopped.set()

    def body(self, messages: Conversation, seed: int) -> dict[str, Any]:
        """The body of a request."""
        config = self._config
        return {
            "model": config.model,
            "messages": [message.model_dump() for message in messages],
            "temperature": config.temperature,
            "max_tokens": config.max_tokens,
            "seed": seed,
        }

    async def answer(self, body: dict[str, Any], read: Callable[[Any], T]) -> T:
        """Ask until an answer can be read.

        Raises UnreadableError where none of the attempts gave one; ServiceError where the server cannot be reached or
        used, or what it may cost is spent.
        """
        fault: UnreadableError | _LaterError = UnreadableError("it was never asked")
        for attempt in range(self._config.attempts):
            if isinstance(fault, _LaterError):
                await self._wait(_pause(attempt, fault.pause))
            if attempt and self._stopped.is_set():
                break
            try:
                return read(await self._post(body))
            except _RefusedError:
                raise
            except (UnreadableError, _LaterError) as error:
                fault = error
        if isinstance(fault, _LaterError):
            if fault.of_server:
                raise self._stop(f"{fault}, also after {self._config.attempts} attempts")
            raise UnreadableError(str(fault))
        raise fault

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    async def _post(self, body: dict[str, Any]) -> Any:
        self._check_budget()
        self._spent.requests += 1
        try:
            async with asyncio.timeout(self._config.timeout):
                response = await self._http.post(f"{self._config.base_url}/chat/completions", json=body)
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout):
            raise _LaterError("no answer in time") from None
        except httpx.TransportError as error:
            said = f"{type(error).__name__} {self._shown(str(error))}".strip()
            raise _LaterError(f"cannot be reached: {said}", of_server=True) from None
        except httpx.DecodingError:
            raise UnreadableError("it cannot be decompressed") from None
        self._check_status(response)
        try:
            told = response.json()
        except (ValueError, RecursionError):
            raise UnreadableError("it is not JSON") from None
        self._count(told)
        return told

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status < 300:
            return
        if status in NOT_NOW:
            pause = _asked_pause(response)
            if pause > LONGEST_ASKED_PAUSE:
                raise self._stop(f"is busy ({status}) and asks to come back in {pause:.0f} s")
            raise _LaterError(f"is busy ({status})", pause, of_server=True)
        if status >= 500 or status == 408:
            raise _LaterError(f"HTTP {status}", _asked_pause(response))
        if status in REFUSED:
            raise _RefusedError(f"the server refuses it, HTTP {status}", self._shown(response.text))
        raise self._stop(f"answers {status}: {self._shown(response.text)}. Check base_url, model and the key")

    def _check_budget(self) -> None:
        spent, config = self._spent, self._config
        if config.most_requests and spent.requests >= config.most_requests:
            raise self._stop(f"was sent {spent.requests} requests, which is its most_requests; raise it")
        if config.most_tokens and spent.tokens >= config.most_tokens:
            raise self._stop(f"has used {spent.tokens} tokens, and its most_tokens is {config.most_tokens}; raise it")

    def _count(self, told: Any) -> None:
        usage = told.get("usage") if isinstance(told, dict) else None
        total = usage.get("total_tokens") if isinstance(usage, dict) else None
        self._spent.tokens += total if isinstance(total, int) else 0

    def _stop(self, what: str) -> ServiceError:
        return ServiceError(
            f"judge {self._config.name} at {self._config.base_url} {what}. "
            "What it answered so far is kept: run again and only the rest is asked."
        )

    def _shown(self, text: str) -> str:
        """A server's words in an error, without our key, should it repeat it."""
        masked = text.replace(self._key, "***") if self._key else text
        return " ".join(masked.split())[:SHOWN_CHARS]


class _RefusedError(UnreadableError):
    """The server refuses this question; it would again."""


def _key(config: EndpointConfig) -> str:
    if not config.api_key_variable:
        return ""
    key = os.environ.get(config.api_key_variable, "").strip()
    if not key:
        raise SettingsError(
            f"judge {config.name}: the environment variable {config.api_key_variable} is not set; put the key there"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        # The HTTP library would repeat such a key in its error.
        raise SettingsError(
            f"judge {config.name}: the environment variable {config.api_key_variable} holds no key, because there are "
            "spaces, line breaks or other letters than ASCII in it; put the key alone there"
        )
    return key


def _pause(attempt: int, asked: float) -> float:
    """Seconds before an attempt, counted from 1; never less than the server asked for."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))
    return asked + random.uniform(longest / 2, longest)  # noqa: S311 -- many clients must not come back at once


def _asked_pause(response: httpx.Response) -> float:
    """Seconds of a Retry-After header, which may be a number or a date; 0 where there is none."""
    told = response.headers.get("Retry-After", "").strip()
    if told.isdigit():
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0
