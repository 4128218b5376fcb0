"""Texts from a judge's model: behind an endpoint, or on this machine."""

from collections.abc import Callable, Mapping

from stemma.config import MachineConfig
from stemma.errors import SettingsError
from stemma.judging.ai_settings import AiJudgeConfig, EndpointConfig, LocalConfig
from stemma.judging.chat_client import ChatClient, Spending
from stemma.judging.concurrency import ask_many
from stemma.judging.reply import UnreadableError, WrittenText, read_text
from stemma.records.types import Conversation, Origin

Written = WrittenText | UnreadableError
NO_VERDICTS = ("", "")
Keep = Callable[[Mapping[int, Written]], None]
"""Takes texts as they are written, by the place of their prompt."""


class EndpointWriter:
    """Writes by asking an endpoint."""

    def __init__(self, config: EndpointConfig, seed: int) -> None:
        from stemma.judging.endpoint import Endpoint

        endpoint = Endpoint(config, NO_VERDICTS)
        self.identity: Origin = {**endpoint.identity, "seed": seed}
        self.origin = endpoint.origin
        self._config = config
        self._seed = seed
        self._spent = Spending()

    def write(self, prompts: Mapping[int, Conversation], keep: Keep) -> None:
        """Write a text for every prompt.

        Raises ServiceError where the endpoint cannot be asked.
        """

        async def work(client: ChatClient, item: tuple[int, Conversation]) -> None:
            place, messages = item
            try:
                keep({place: await client.answer(client.body(messages, self._seed), read_text)})
            except UnreadableError as error:
                keep({place: error})

        ask_many(self._config, list(prompts.items()), work, self._spent)


class LocalWriter:
    """Writes with a model on this machine, always the likeliest token."""

    def __init__(self, config: LocalConfig, machine: MachineConfig) -> None:
        from stemma.judging.local_model import LocalModel

        self._config = config
        self._model = LocalModel(config, NO_VERDICTS, machine)
        self.identity: Origin = {**self._model.identity, "max_tokens": config.max_tokens}
        self.origin = self._model.origin

    def write(self, prompts: Mapping[int, Conversation], keep: Keep) -> None:
        """Write a text for every prompt."""
        places, messages = list(prompts), list(prompts.values())
        self._model.continue_all(
            messages, lambda indices, texts: keep({places[i]: text for i, text in zip(indices, texts, strict=True)})
        )


Writer = EndpointWriter | LocalWriter


def writer_for(config: AiJudgeConfig, machine: MachineConfig, seed: int, max_tokens: int) -> Writer:
    """A writer with a judge's model, whose texts may have so many tokens.

    Raises SettingsError where the judge writes no texts, or its weights are not the recorded ones.
    """
    if isinstance(config, EndpointConfig):
        return EndpointWriter(config.model_copy(update={"max_tokens": max_tokens}), seed)
    if isinstance(config, LocalConfig):
        return LocalWriter(config.model_copy(update={"max_tokens": max_tokens}), machine)
    raise SettingsError(
        f"judge {config.name} is a {config.kind} and writes no texts; name an endpoint or a local model"
    )
