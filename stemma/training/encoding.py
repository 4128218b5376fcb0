"""Rows to token ids, as the trainers take them."""

from collections.abc import Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from stemma.errors import DataError
from stemma.models.chat import Ids, encode_answers, encode_prompts
from stemma.records.types import Comparison, Demonstration

NO_LOSS = -100
"""The label of a token that is read but not learned; torch's cross entropy skips it."""


class Pairs(NamedTuple):
    """Encoded comparisons, a list entry each."""

    prompts: list[Ids]
    chosen: list[Ids]
    rejected: list[Ids]

    @property
    def whole_chosen(self) -> list[Ids]:
        """Each prompt with its chosen answer."""
        return [prompt + answer for prompt, answer in zip(self.prompts, self.chosen, strict=True)]

    @property
    def whole_rejected(self) -> list[Ids]:
        """Each prompt with its rejected answer."""
        return [prompt + answer for prompt, answer in zip(self.prompts, self.rejected, strict=True)]


def encode_demonstrations(
    tokenizer: PreTrainedTokenizerBase, demonstrations: Sequence[Demonstration], context: int
) -> dict[str, list[Ids]]:
    """Columns `input_ids` and `labels`; only the answer, its end included, is learned.

    Raises DataError where one is longer than the context.
    """
    prompts = encode_prompts(tokenizer, [row.prompt for row in demonstrations])
    answers = encode_answers(tokenizer, [row.completion for row in demonstrations])
    rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    _check_lengths([len(row) for row in rows], context, [row.completion for row in demonstrations], "demonstrations")
    labels = [[NO_LOSS] * len(prompt) + answer for prompt, answer in zip(prompts, answers, strict=True)]
    return {"input_ids": rows, "labels": labels}


def encode_pairs(tokenizer: PreTrainedTokenizerBase, comparisons: Sequence[Comparison], context: int) -> Pairs:
    """Token ids of prompts and of both answers.

    Raises DataError where a prompt with its longer answer is longer than the context.
    """
    prompts = encode_prompts(tokenizer, [row.prompt for row in comparisons])
    chosen = encode_answers(tokenizer, [row.chosen for row in comparisons])
    rejected = encode_answers(tokenizer, [row.rejected for row in comparisons])
    lengths = [len(p) + max(len(c), len(r)) for p, c, r in zip(prompts, chosen, rejected, strict=True)]
    _check_lengths(lengths, context, [f"prompt {row.prompt_id}" for row in comparisons], "comparisons")
    return Pairs(prompts, chosen, rejected)


def _check_lengths(lengths: Sequence[int], context: int, names: Sequence[str], what: str) -> None:
    too_long = sum(length > context for length in lengths)
    if too_long:
        longest = max(range(len(lengths)), key=lengths.__getitem__)
        name = names[longest] if len(names[longest]) <= 80 else names[longest][:80] + "…"
        raise DataError(
            f"{too_long} of {len(lengths)} {what} are longer than the model's context of {context} tokens; the longest "
            f"({name}) has {lengths[longest]}. Shorten or remove them, or take a base model with a longer context."
        )
