"""A judge's model on this machine, asked for the log-probabilities of its verdict tokens (Lee et al. 2023, §2.1)."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from stemma.config import MachineConfig
from stemma.errors import SettingsError
from stemma.judging.ai_settings import LocalConfig
from stemma.judging.case import PROBABILITY_DIGITS
from stemma.judging.intake import Told
from stemma.judging.reply import VERDICT_LINE, Reply, UnreadableError, WrittenText, share_of_first
from stemma.judging.text_judge import Question
from stemma.judging.weights import check_weights, weights_sha256
from stemma.models.adapters import base_of
from stemma.models.adoption import adopt
from stemma.models.batching import in_batches
from stemma.models.chat import Ids, encode_prompts, encode_texts
from stemma.models.generation import own_generation_config_ignored
from stemma.models.hub import fetch
from stemma.models.policy import context_of, for_use, frozen_dtype, load_policy, place
from stemma.models.positions import position_ids
from stemma.models.tokenizer import load_tokenizer
from stemma.records.types import Conversation, Origin

TOO_LONG = UnreadableError("the prompt is longer than the model's context")
Model = tuple[PreTrainedModel, PreTrainedTokenizerBase]


class LocalModel:
    """A language model that says its verdict in one token; it draws nothing by chance."""

    samples = 1

    def __init__(self, config: LocalConfig, verdicts: tuple[str, str], machine: MachineConfig) -> None:
        """Find the model and check its weights; it is loaded when the first question is asked.

        Raises SettingsError where the folder's content is not what the settings say, ServiceError where a Hub
        repository cannot be fetched.
        """
        self._config = config
        self._verdicts = verdicts
        self._machine = machine
        if config.revision:
            self._folder = fetch(config.model, config.revision)
            self._weights = weights_sha256(self._folder)
        else:
            self._folder, self._weights = Path(config.model), config.weights_sha256
            check_weights(config.name, self._folder, self._weights)

    @property
    def identity(self) -> Origin:
        """Weights, number format, and whether it reasons."""
        config = self._config
        told: Origin = {"kind": config.kind, "weights_sha256": self._weights, "precision": self._machine.precision}
        return told | {"reasoning": config.reasoning, **({"max_tokens": config.max_tokens} if config.reasoning else {})}

    @property
    def origin(self) -> Origin:
        """The weights' hash, and for a Hub repository its name and commit."""
        config = self._config
        hub: Origin = {"name": config.model, "revision": config.revision} if config.revision else {}
        return {"kind": config.kind, **hub, "weights_sha256": self._weights}

    def ask(self, questions: Sequence[Question], known: Collection[str], keep: Callable[[Told], None]) -> None:
        """Answer the questions whose keys are not known, a batch after another.

        The batches are made of all questions, so that a stage that was killed gives the same last digits.
        Raises SettingsError where the verdicts are not single tokens.
        """
        asking = _Asking(load_judge_model(self._folder, self._machine), self._verdicts, self._config)
        prompts = asking.encode([question.messages for question in questions])

        def answer(indices: list[int]) -> list[None]:
            if not all(questions[i].key in known for i in indices):
                replies = asking.answers([prompts[i] for i in indices])
                keep({questions[i].key: reply for i, reply in zip(indices, replies, strict=True)})
            return [None] * len(indices)

        in_batches([len(prompt) for prompt in prompts], self._config.batch_size, answer)

    def continue_all(
        self, prompts: Sequence[Conversation], keep: Callable[[list[int], list[WrittenText | UnreadableError]], None]
    ) -> None:
        """Write the likeliest text after each prompt, a batch after another."""
        model, tokenizer = load_judge_model(self._folder, self._machine)
        encoded, most = encode_prompts(tokenizer, prompts), self._config.max_tokens

        def write(indices: list[int]) -> list[None]:
            fitting = [i for i in indices if len(encoded[i]) + most <= context_of(model)]
            texts = iter(generate(model, tokenizer, [encoded[i] for i in fitting], most) if fitting else [])
            keep(indices, [_written(next(texts)) if i in fitting else TOO_LONG for i in indices])
            return [None] * len(indices)

        in_batches([len(row) for row in encoded], self._config.batch_size, write)


def _written(text: WrittenText) -> WrittenText | UnreadableError:
    return text if text.text else UnreadableError("it is empty")


def load_judge_model(folder: Path, machine: MachineConfig) -> Model:
    """Load a language model with its tokenizer: a policy of Stemma's, or any folder of Hugging Face's form."""
    if base_of(folder) is not None:
        return load_policy(folder, machine), load_tokenizer(folder)
    model, tokenizer = adopt(folder)
    tokenizer.padding_side = "left"
    return for_use(place(nn.Module.to(model, frozen_dtype(machine)), machine)), tokenizer


class _Asking:
    """A loaded model at work."""

    def __init__(self, loaded: Model, verdicts: tuple[str, str], config: LocalConfig) -> None:
        self._model, self._tokenizer = loaded
        self._verdicts = verdicts
        self._config = config
        self._tokens = [verdict_tokens(self._tokenizer, verdict) for verdict in verdicts]
        self._room = context_of(self._model) - 1
        if config.reasoning:
            self._room -= config.max_tokens + len(encode_texts(self._tokenizer, [f"\n{VERDICT_LINE}"])[0])

    def encode(self, prompts: Sequence[Conversation]) -> list[Ids]:
        return encode_prompts(self._tokenizer, prompts)

    def answers(self, prompts: Sequence[Ids]) -> list[Reply | UnreadableError]:
        """Answer one batch; a prompt beyond the model's context is not cut short, and gets no answer."""
        fitting = [prompt for prompt in prompts if len(prompt) <= self._room]
        replies = iter(self._read(fitting) if fitting else [])
        return [next(replies) if len(prompt) <= self._room else TOO_LONG for prompt in prompts]

    def _read(self, prompts: Sequence[Ids]) -> list[Reply | UnreadableError]:
        reasons = [""] * len(prompts)
        if self._config.reasoning:
            reasons = [
                _before_verdict(written.text)
                for written in generate(self._model, self._tokenizer, prompts, self._config.max_tokens)
            ]
            endings = encode_texts(self._tokenizer, [f"{reason}\n{VERDICT_LINE}" for reason in reasons])
            prompts = [prompt + ending for prompt, ending in zip(prompts, endings, strict=True)]
        chances = next_token_chances(self._model, self._tokenizer, prompts)
        return [self._reply(row, reason) for row, reason in zip(chances, reasons, strict=True)]

    def _reply(self, chances: torch.Tensor, reason: str) -> Reply | UnreadableError:
        told = [float(chances[tokens].sum()) for tokens in self._tokens]
        raw: Origin = {
            "probabilities": {
                verdict: round(chance, PROBABILITY_DIGITS) for verdict, chance in zip(self._verdicts, told, strict=True)
            }
        }
        if self._config.reasoning:
            raw["text"] = reason
        try:
            return Reply(share_of_first(told), raw)
        except UnreadableError as error:
            return error


def verdict_tokens(tokenizer: PreTrainedTokenizerBase, verdict: str) -> list[int]:
    """The tokens that spell a verdict alone, with and without a space before it.

    Raises SettingsError where there is none.
    """
    spelled = encode_texts(tokenizer, [verdict, f" {verdict}"])
    tokens = sorted({ids[0] for ids in spelled if len(ids) == 1})
    if not tokens:
        raise SettingsError(
            f"the verdict {verdict!r} is more than one token of the judge's tokenizer; "
            "choose other `verdicts` in the constitution, such as A and B"
        )
    return tokens


@torch.no_grad()
def next_token_chances(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Ids]
) -> torch.Tensor:
    """How likely each token is to come next, in 32 bits. Shape: (b, vocabulary)."""
    ids, mask = _padded_left(model, tokenizer, prompts)
    caller = cast("Any", model)
    logits = caller(input_ids=ids, attention_mask=mask, position_ids=position_ids(mask), logits_to_keep=1).logits
    return cast("torch.Tensor", logits[:, -1].float().softmax(dim=-1).cpu())


@torch.no_grad()
def generate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Ids], max_tokens: int
) -> list[WrittenText]:
    """The likeliest continuation of each prompt, token by token, to its end or `max_tokens`."""
    ids, mask = _padded_left(model, tokenizer, prompts)
    likeliest = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        max_new_tokens=max_tokens,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with own_generation_config_ignored(model):
        made = cast("Any", model).generate(input_ids=ids, attention_mask=mask, generation_config=likeliest)
    answers = made[:, ids.shape[1] :]
    ended = (answers == tokenizer.eos_token_id).any(dim=1).tolist()
    texts = tokenizer.batch_decode(answers, skip_special_tokens=True)
    return [WrittenText(text.strip(), end) for text, end in zip(texts, ended, strict=True)]


def _padded_left(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Ids]
) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, prompts))
    pad = cast("int", tokenizer.pad_token_id)
    ids = torch.tensor([[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    return ids.to(model.device), mask.to(model.device)


def _before_verdict(text: str) -> str:
    """The reasoning alone, without the verdict that it may already end with."""
    return text.partition(VERDICT_LINE)[0].strip()
