"""A judge's model behind a chat endpoint: many questions at once, each answer handed on as it comes."""

from collections.abc import Callable, Collection, Sequence

from stemma.judging.ai_settings import EndpointConfig
from stemma.judging.chat_client import ChatClient, Spending
from stemma.judging.concurrency import ask_many
from stemma.judging.intake import Told
from stemma.judging.reply import Reply, UnreadableError, read_reply, shown_model
from stemma.judging.text_judge import Question
from stemma.records.types import Origin

TOP_LOGPROBS = 20
"""As many as OpenAI's own endpoint and vLLM give by default."""


class Endpoint:
    """A model behind an endpoint."""

    def __init__(self, config: EndpointConfig, verdicts: tuple[str, str]) -> None:
        self.samples = config.samples
        self._config = config
        self._verdicts = verdicts
        self._spent = Spending()

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

        async def work(client: ChatClient, question: Question) -> None:
            keep({question.key: await self._answer(client, question)})

        ask_many(self._config, [question for question in questions if question.key not in known], work, self._spent)

    async def _answer(self, client: ChatClient, question: Question) -> Reply | UnreadableError:
        config = self._config
        body = client.body(question.messages, question.seed)
        if config.logprobs:
            body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        try:
            return await client.answer(
                body, lambda told: read_reply(told, config.model, self._verdicts, config.reasoning)
            )
        except UnreadableError as error:
            return error
