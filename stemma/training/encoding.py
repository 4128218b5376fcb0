"""Rows to token ids, as the trainers take them."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Literal, NamedTuple

from transformers import PreTrainedTokenizerBase

from stemma.errors import DataError
from stemma.models.chat import Ids, encode_answers, encode_prompts
from stemma.records.counting import counted
from stemma.records.types import Comparison, Conversation, Demonstration

Turns = Literal["all", "last"]
"""Which assistant turns of a conversation are learned."""

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


class Turn(NamedTuple):
    """An assistant turn as it is sampled: all that comes before it, and its text with the end of the turn."""

    prefix: Ids
    answer: Ids

    @property
    def whole(self) -> Ids:
        """The conversation up to the end of the turn."""
        return self.prefix + self.answer


def encode_demonstrations(
    tokenizer: PreTrainedTokenizerBase, demonstrations: Sequence[Demonstration], context: int, turns: Turns = "all"
) -> dict[str, list[Ids]]:
    """Columns `input_ids` and `labels`; assistant turns are learned, the end of each included, and nothing else.

    A completion that is not finished has no end to learn.
    Raises DataError where a row is longer than the context.
    """
    rows = [list(_rows(turns_of_one)) for turns_of_one in encode_turns(tokenizer, demonstrations, turns)]
    lengths = [max(len(ids) for ids, _ in rows_of_one) for rows_of_one in rows]
    _check_lengths(lengths, context, [row.completion for row in demonstrations], "demonstration")
    every = [*chain(*rows)]
    return {"input_ids": [ids for ids, _ in every], "labels": [labels for _, labels in every]}


def encode_turns(
    tokenizer: PreTrainedTokenizerBase, demonstrations: Sequence[Demonstration], turns: Turns = "all"
) -> list[list[Turn]]:
    """The assistant turns of each demonstration, encoded as sampling encodes them; of `turns` "last" its completion."""
    messages = [list(_turns(row))[0 if turns == "all" else -1 :] for row in demonstrations]
    prefixes = encode_prompts(tokenizer, [prefix for row in messages for prefix, _ in row])
    finished = [[True] * (len(row) - 1) + [whole.finished] for row, whole in zip(messages, demonstrations, strict=True)]
    answers = encode_answers(tokenizer, [answer for row in messages for _, answer in row], [*chain(*finished)])
    encoded = map(Turn, prefixes, answers)
    return [list(islice(encoded, len(row))) for row in messages]


def _turns(row: Demonstration) -> Iterator[tuple[Conversation, str]]:
    for index, message in enumerate(row.prompt):
        if message.role == "assistant":
            yield row.prompt[:index], message.content
    yield row.prompt, row.completion


def _rows(turns: Sequence[Turn]) -> Iterator[tuple[Ids, Ids]]:
    """Token ids and labels of the last turn's conversation, in which the earlier turns are learned too.

    A turn that the template writes otherwise once others follow it, such as one whose reasoning it leaves out, is
    learned from a row of its own: what is learned is always what is sampled.
    """
    last = turns[-1].whole
    labels = [NO_LOSS] * len(last)
    for prefix, answer in turns:
        end = len(prefix) + len(answer)
        if last[:end] == prefix + answer:
            labels[len(prefix) : end] = answer
        else:
            yield prefix + answer, [NO_LOSS] * len(prefix) + answer
    yield last, labels


def encode_pairs(tokenizer: PreTrainedTokenizerBase, comparisons: Sequence[Comparison], context: int) -> Pairs:
    """Token ids of prompts and of both answers; one that is not finished has no end, as PPO and evaluation score it.

    Raises DataError where a prompt with its longer answer is longer than the context.
    """
    prompts = encode_prompts(tokenizer, [row.prompt for row in comparisons])
    chosen = encode_answers(
        tokenizer, [row.chosen for row in comparisons], [row.chosen_finished for row in comparisons]
    )
    rejected = encode_answers(
        tokenizer, [row.rejected for row in comparisons], [row.rejected_finished for row in comparisons]
    )
    lengths = [len(p) + max(len(c), len(r)) for p, c, r in zip(prompts, chosen, rejected, strict=True)]
    _check_lengths(lengths, context, [f"prompt {row.prompt_id}" for row in comparisons], "comparison")
    return Pairs(prompts, chosen, rejected)


def _check_lengths(lengths: Sequence[int], context: int, names: Sequence[str], what: str) -> None:
    too_long = sum(length > context for length in lengths)
    if too_long:
        longest = max(range(len(lengths)), key=lengths.__getitem__)
        name = names[longest] if len(names[longest]) <= 80 else names[longest][:80] + "…"
        raise DataError(
            f"{too_long} of {counted(len(lengths), what)} {'is' if too_long == 1 else 'are'} longer than the model's "
            f"context of {context} tokens; the longest ({name}) has {lengths[longest]}. Shorten or remove "
            f"{'it' if too_long == 1 else 'them'}, raise base.context, or take a base model with a longer context."
        )
