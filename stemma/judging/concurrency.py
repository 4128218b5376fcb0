"""Many requests to one endpoint at once, never more than its settings allow."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from stemma.errors import StemmaError
from stemma.judging.ai_settings import EndpointConfig
from stemma.judging.chat_client import ChatClient, Spending

T = TypeVar("T")
Work = Callable[[ChatClient, T], Awaitable[None]]


def ask_many(config: EndpointConfig, items: Sequence[T], work: Work[T], spent: Spending) -> None:
    """Do the work on every item; after the first error no more is begun, and what is under way is finished.

    What it costs is added to what is spent already.

    Raises StemmaError as the work does.
    """
    asyncio.run(_ask_all(config, items, work, spent))


async def _ask_all(config: EndpointConfig, items: Sequence[T], work: Work[T], spent: Spending) -> None:
    waiting, errors = iter(items), list[StemmaError]()
    async with ChatClient(config, spent) as client, asyncio.TaskGroup() as group:
        for _ in range(min(config.concurrency, len(items))):
            group.create_task(_take_from(waiting, client, work, errors))
    if errors:
        raise errors[0]


async def _take_from(waiting: Iterator[T], client: ChatClient, work: Work[T], errors: list[StemmaError]) -> None:
    for item in waiting:
        try:
            await work(client, item)
        except StemmaError as error:
            # The others' requests are paid for, so their answers are waited for and kept.
            errors.append(error)
            client.stop()
        if errors:
            return
