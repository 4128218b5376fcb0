"""Many requests to one endpoint at once, never more than its settings allow."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from stemma.errors import StemmaError
from stemma.judging.ai_settings import EndpointConfig
from stemma.judging.chat_client import ChatClient

T = TypeVar("T")
Work = Callable[[ChatClient, T], Awaitable[None]]


def ask_many(config: EndpointConfig, items: Sequence[T], work: Work[T]) -> None:
    """Do the work on every item; the first error stops all of it.

    Raises StemmaError as the work does.
    """
    asyncio.run(_ask_all(config, items, work))


async def _ask_all(config: EndpointConfig, items: Sequence[T], work: Work[T]) -> None:
    waiting = iter(items)
    async with ChatClient(config) as client:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(config.concurrency, len(items))):
                    group.create_task(_take_from(waiting, client, work))
        except* StemmaError as errors:
            raise _first(errors) from None


async def _take_from(waiting: Iterator[T], client: ChatClient, work: Work[T]) -> None:
    for item in waiting:
        await work(client, item)


def _first(errors: BaseExceptionGroup[StemmaError]) -> StemmaError:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
