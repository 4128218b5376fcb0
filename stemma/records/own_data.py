"""A user's examples, made into the rows that the stages work with."""

from collections.abc import Iterable, Mapping

from stemma.records.dataset import Dataset
from stemma.records.example import Example
from stemma.records.splits import prompt_digest, split_of
from stemma.records.types import Comparison, Conversation, Demonstration, Document, Message, Prompt, Split

ID_LENGTH = 16


def make_dataset(examples: Iterable[Example], shares: Mapping[Split, float]) -> Dataset:
    """Make the rows; `shares` gives the shares of prompts that are held out for judge, validation and test.

    - A prompt that several rows have is one prompt. Each of its comparisons is kept.
    - An answer, chosen ones included, is a demonstration and part of the pre-training corpus if its prompt is in the
      train split. Several rows with the same prompt and answer give one.
    - A text is part of the pre-training corpus.
    """
    prompts: dict[str, Prompt] = {}
    comparisons: list[Comparison] = []
    # Dictionaries, because they keep the rows' order and drop repetitions.
    demonstrations: dict[Demonstration, None] = {}
    corpus: dict[Document, None] = {}
    for example in examples:
        if example.text is not None:
            corpus[Document(text=example.text)] = None
        if example.prompt is None:
            continue
        prompt = _prompt(example.prompt, shares)
        prompts.setdefault(prompt.id, prompt)
        if example.answer is None:
            continue
        if prompt.split == "train":
            demonstrations[Demonstration(prompt=prompt.messages, completion=example.answer)] = None
            corpus[_document(prompt.messages, example.answer)] = None
        if example.rejected is not None:
            comparisons.append(_comparison(prompt, example.answer, example.rejected))
    return Dataset(tuple(corpus), tuple(demonstrations), tuple(prompts.values()), tuple(comparisons))


def _prompt(messages: Conversation, shares: Mapping[Split, float]) -> Prompt:
    return Prompt(id=prompt_digest(messages)[:ID_LENGTH], messages=messages, split=split_of(messages, shares))


def _comparison(prompt: Prompt, chosen: str, rejected: str) -> Comparison:
    return Comparison(prompt_id=prompt.id, prompt=prompt.messages, chosen=chosen, rejected=rejected, split=prompt.split)


def _document(prompt: Conversation, answer: str) -> Document:
    return Document(messages=(*prompt, Message(role="assistant", content=answer)))
