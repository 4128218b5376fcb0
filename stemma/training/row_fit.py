"""Which rows a base model can read: its chat template takes them, and they fit its context. Nothing is trained for it.

The tokenizer of a base from scratch is made here, from the documents that it will be pre-trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from transformers import PreTrainedTokenizerBase

from stemma.errors import DataError
from stemma.models.chat import Ids, encode_answers, encode_prompts
from stemma.models.tokenizer import build_tokenizer
from stemma.records.dataset import texts_of
from stemma.records.example import Example, without_first_exchange
from stemma.records.fault import RowFault
from stemma.records.types import Conversation, Demonstration, Document
from stemma.training.base_settings import BaseConfig
from stemma.training.encoding import encode_turns

TOGETHER = 512
"""Rows whose prompts are encoded in one call."""


@dataclass(frozen=True)
class RowLimits:
    """The base model's tokenizer, and how many tokens a row may have."""

    tokenizer: PreTrainedTokenizerBase
    source: str
    """Where the base model comes from, as base.source says."""
    most: int | None
    """Tokens of a prompt with its answer; None where nothing limits them."""
    limit: str
    """What sets the limit."""
    remedy: str
    """What lets longer rows in."""
    answer_tokens: int
    """Tokens that a prompt must leave free."""


@dataclass
class Measured:
    """What was found of rows, by their index."""

    faults: dict[int, RowFault] = field(default_factory=dict)
    lengths: dict[int, int] = field(default_factory=dict)
    """Tokens of a row's prompt with its longest answer, or with the room for one."""

    def summary(self) -> dict[str, float]:
        """The number of rows with a prompt, and the median and greatest of their lengths in tokens."""
        lengths = self.lengths.values()
        return {"rows": len(lengths), "median": median(lengths), "longest": max(lengths)} if lengths else {"rows": 0}


def row_limits(
    base: BaseConfig, documents: Sequence[Document], max_tokens: int | None, answer_tokens: int
) -> RowLimits:
    """The limits that a base model sets; `max_tokens` is data.max_tokens, and `answer_tokens` data.answer_tokens.

    Raises DataError where a base from scratch has no document to be trained on, and for a base that is fetched
    ArtifactError, ServiceError or SettingsError where it cannot be had or loaded.
    """
    if base.source == "scratch":
        if not documents:
            raise DataError(
                "base.source is scratch, and the data holds no text and no answer to imitate in the train split, so "
                "there is nothing to pre-train on: add such rows to data.files, or set base.source to hub"
            )
        tokenizer: PreTrainedTokenizerBase = build_tokenizer(texts_of(documents), base.vocab_size)
        context: int | None = base.context
        name, remedy = f"base.context {base.context}", "raise base.context"
    else:
        tokenizer, context = _fetched(base)
        name, remedy = f"the context of {base.title}, {context}", "take a base model with a longer context"
    if max_tokens is not None and (context is None or max_tokens < context):
        context, name, remedy = max_tokens, f"data.max_tokens {max_tokens}", "raise data.max_tokens"
    return RowLimits(tokenizer, base.source, context, name, remedy, answer_tokens)


def _fetched(base: BaseConfig) -> tuple[PreTrainedTokenizerBase, int | None]:
    from stemma.models.adoption import adopt_tokenizer, adopted_context
    from stemma.models.hub import check_folder, fetch

    if base.source == "hub":
        folder = fetch(base.model, base.revision, weights=False)
    else:
        folder = check_folder(Path(base.model), base.revision)
    context = adopted_context(folder, base.title)
    return adopt_tokenizer(folder, base.title), context


def measure_rows(examples: Sequence[Example], limits: RowLimits) -> Measured:
    """Find the rows that the base model cannot read, or that are too long for it."""
    measured = Measured()
    with_prompt = [index for index, example in enumerate(examples) if example.prompt is not None]
    for start in range(0, len(with_prompt), TOGETHER):
        part = with_prompt[start : start + TOGETHER]
        prompts = _encode_prompts(limits.tokenizer, [examples[index].prompt or () for index in part])
        for index, prompt in zip(part, prompts, strict=True):
            _measure(index, examples[index], prompt, limits, measured)
    if limits.source != "scratch":
        unread = f"is read by no stage, because base.source is {limits.source}: only a base from scratch learns texts"
        texts = [index for index, example in enumerate(examples) if example.text is not None]
        measured.faults |= {index: RowFault("text", unread) for index in texts}
    return measured


def shorten_rows(examples: Sequence[Example], limits: RowLimits) -> list[Example]:
    """Leave out the oldest exchanges of conversations that are too long, as far as that makes them fit."""
    too_long = measure_rows(examples, limits).faults
    return [_shorten(row, limits) if index in too_long else row for index, row in enumerate(examples)]


def _shorten(example: Example, limits: RowLimits) -> Example:
    shorter: Example | None = example
    while shorter is not None:
        if not measure_rows([shorter], limits).faults:
            return shorter
        shorter = without_first_exchange(shorter)
    return example


def _encode_prompts(
    tokenizer: PreTrainedTokenizerBase, conversations: Sequence[Conversation]
) -> Sequence[Ids | RowFault]:
    try:
        return encode_prompts(tokenizer, conversations)
    except DataError as error:
        if len(conversations) > 1:
            return [ids for conversation in conversations for ids in _encode_prompts(tokenizer, [conversation])]
        return [RowFault("prompt", f"is refused by the base model's chat template: {error.__cause__}")]


def _measure(index: int, example: Example, prompt: Ids | RowFault, limits: RowLimits, measured: Measured) -> None:
    if isinstance(prompt, RowFault):
        measured.faults[index] = prompt
        return
    with_room, whole = len(prompt) + limits.answer_tokens, _longest(example, prompt, limits.tokenizer)
    measured.lengths[index] = max(with_room, whole)
    if limits.most is None or max(with_room, whole) <= limits.most:
        return
    if whole > limits.most:
        fault = RowFault("answer", f"does not fit {limits.limit} with its prompt: {whole} tokens")
    else:
        room = f"leaves no room for an answer of data.answer_tokens {limits.answer_tokens} in {limits.limit}"
        fault = RowFault("prompt", f"{room}: {len(prompt)} tokens")
    measured.faults[index] = fault


def _longest(example: Example, prompt: Ids, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens of the prompt with the longest answer, or of an earlier turn as it is sampled, if that is longer."""
    texts = [answer.text for answer in example.answers] + [example.target] * (example.target is not None)
    answers = encode_answers(tokenizer, [text for text in texts if text is not None])
    lengths = [len(prompt) + len(answer) for answer in answers]
    if any(message.role == "assistant" for message in example.prompt or ()):
        row = Demonstration(prompt=example.prompt or (), completion="-")
        lengths += [len(turn.whole) for turn in encode_turns(tokenizer, [row])[0][:-1]]
    return max(lengths, default=0)
