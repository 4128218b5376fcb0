"""Conversations as the model reads them: one rendering and one encoding, from the first stage to the last.

A prompt and its answer are encoded apart and then joined, in training as in sampling, so no token ever spans the two.
"""

from collections.abc import Sequence
from typing import cast

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from stemma.errors import DataError
from stemma.models.spoken import Spoken
from stemma.records.counting import counted
from stemma.records.types import Conversation

Ids = list[int]
"""Token ids of one text."""


def render_prompt(tokenizer: PreTrainedTokenizerBase, messages: Conversation) -> str:
    """The conversation as text, ending with the header of the assistant's turn."""
    return render_prompts(tokenizer, [messages])[0]


def render_prompts(tokenizer: PreTrainedTokenizerBase, conversations: Sequence[Conversation]) -> list[str]:
    """Conversations as texts, each ending with the header of the assistant's turn.

    Raises DataError where the model's chat template refuses one.
    """
    if not conversations:
        return []
    plain = [[message.model_dump() for message in messages] for messages in conversations]
    try:
        rendered = tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=True)
    except TemplateError as error:
        raise DataError(
            f"the model's chat template refuses a prompt: {error}. Some take no system message, or want turns to "
            "alternate: change these prompts, or take another base model."
        ) from error
    return cast("list[str]", rendered)


def render_conversation(tokenizer: PreTrainedTokenizerBase, messages: Conversation) -> str:
    """A whole conversation as text, its assistant turns closed; used to pre-train on conversations."""
    return cast("str", tokenizer.apply_chat_template([message.model_dump() for message in messages], tokenize=False))


def encode_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[Ids]:
    """Token ids of rendered texts; nothing is added, because the chat template wrote all special tokens."""
    if not texts:
        return []
    ids: list[Ids] = tokenizer(list(texts), add_special_tokens=False, padding=False)["input_ids"]
    return ids


def encode_prompts(tokenizer: PreTrainedTokenizerBase, conversations: Sequence[Conversation]) -> list[Ids]:
    """Token ids of prompts, each ending with the header of the assistant's turn."""
    spoken = Spoken(tokenizer)
    return spoken.encode(render_prompts(tokenizer, [spoken.hide(messages) for messages in conversations]))


def encode_conversations(tokenizer: PreTrainedTokenizerBase, conversations: Sequence[Conversation]) -> list[Ids]:
    """Token ids of whole conversations, their assistant turns closed."""
    spoken = Spoken(tokenizer)
    return spoken.encode([render_conversation(tokenizer, spoken.hide(messages)) for messages in conversations])


def encode_answers(
    tokenizer: PreTrainedTokenizerBase, completions: Sequence[str], finished: Sequence[bool] | None = None
) -> list[Ids]:
    """Token ids of answers, each ending with the end-of-sequence token; one that is not `finished` has none."""
    end = [tokenizer.eos_token_id]
    ids = Spoken(tokenizer).encode_plain(completions)
    return [row + end * done for row, done in zip(ids, finished or [True] * len(ids), strict=True)]


def check_fits(prompt_lengths: Sequence[int], context: int, max_new_tokens: int, ids: Sequence[str]) -> None:
    """Check that every prompt leaves room for an answer.

    `prompt_lengths` are in tokens and `ids` name the prompts. Raises DataError naming the longest prompt that does not
    fit, its tokens, the context, and the remedy.
    """
    too_long = [(length, -i) for i, length in enumerate(prompt_lengths) if length + max_new_tokens > context]
    if not too_long:
        return
    length, index = max(too_long)
    raise DataError(
        f"{len(too_long)} of {counted(len(prompt_lengths), 'prompt')} {'does' if len(too_long) == 1 else 'do'} not fit "
        f"the model's context of {context} tokens with "
        f"{max_new_tokens} tokens kept for the answer. The longest is {ids[-index]}: {length} tokens, so it may have "
        f"{max(context - max_new_tokens, 0)}. Shorten or remove these prompts, lower max_new_tokens, "
        "or take a base model with a longer context."
    )
