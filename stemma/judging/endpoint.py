"""A judge's model behind a chat endpoint: many questions at once, each answer handed on as it comes."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from stemma.errors import StemmaError
from stemma.judging.ai_settings import EndpointConfig
from stemma.judging.chat_client import ChatClient
from stemma.judging.intake import Told
from stemma.judging.reply import Reply, UnreadableError, read_reply, shown_model
from stemma.judging.text_judge import Question
from stemma.records.types import Conversation, Origin

TOP_LOGPROBS = 20
"""As many as OpenAI's own endpoint and vLLM give by default."""


class Endpoint:
    """A model behind an endpoint."""

    def __init__(self, config: EndpointConfig, verdicts: tuple[str, str]) -> None:
        self.samples = config.samples
        self._config = config
        self._verdicts = verdicts

    @property
    def identity(self) -> Origin:
        """Model, version (or address), and how answers are sampled."""
        config = self._config
        place: Origin = {"version": config.version} if config.version else {"base_url": config.base_url}
        sampling: Origin = {
            "temperature": config.temperature,
            "max_tokens": config.max_tokens,
            "logprobs": config.logprobs,
            "reasoning": config.reasoning,
        }
        return {"kind": config.kind, "model": config.model, **place, **sampling}

    @property
    def origin(self) -> Origin:
        """The served name and version."""
        return {"kind": self._config.kind, "name": shown_model(self._config.model), "version": self._config.version}

    def ask(self, questions: Sequence[Question], known: Collection[str], keep: Callable[[Told], None]) -> None:
        """Answer the questions whose keys are not known, several at once, and hand each answer on at once.

        Raises ServiceError where no more answers can be had.
        """
        asyncio.run(self._ask_all([question for question in questions if question.key not in known], keep))

    async def _ask_all(self, questions: Sequence[Question], keep: Callable[[Told], None]) -> None:
        waiting = iter(questions)
        async with ChatClient(self._config) as client:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self._config.concurrency, len(questions))):
                        group.create_task(self._work(client, waiting, keep))
            except* StemmaError as errors:
                raise errors.exceptions[0] from None

    async def _work(self, client: ChatClient, waiting: Iterator[Question], keep: Callable[[Told], None]) -> None:
        for question in waiting:
            keep({question.key: await self._answer(client, question)})

    async def _answer(self, client: ChatClient, question: Question) -> Reply | UnreadableError:
        config = self._config
        body = chat_body(config, question.messages, question.seed)
        if config.logprobs:
            body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        try:
            return await client.answer(
                body, lambda told: read_reply(told, config.model, self._verdicts, config.reasoning)
            )
        except UnreadableError as error:
            return error


def chat_body(config: EndpointConfig, messages: Conversation, seed: int) -> dict[str, Any]:
    """The body of a chat completion's request."""
    return {
        "model": config.model,
        "messages": [message.model_dump() for message in messages],
        "temperature": config.temperature,
        "max_tokens": config.max_tokens,
        "seed": seed,
    }
