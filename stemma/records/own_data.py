"""A user's examples, made into the rows that the stages work with."""

from collections.abc import Iterable, Iterator, Mapping

from stemma.records.conversation import assistant
from stemma.records.dataset import Dataset
from stemma.records.example import Answer, Example, Opinion, Pair
from stemma.records.splits import prompt_digest, split_of
from stemma.records.types import Comparison, Conversation, Demonstration, Document, Message, Origin, Prompt, Split

ID_LENGTH = 16


def make_dataset(examples: Iterable[Example], shares: Mapping[Split, float]) -> Dataset:
    """Make the rows; `shares` gives the shares of prompts that are held out for judge, validation and test.

    - A prompt that several rows have is one prompt, in the slice that the first of them names. Each of its comparisons
      is kept, one for each verdict.
    - An answer to imitate, chosen ones included, is a demonstration and part of the pre-training corpus if its prompt
      is in the train split. Several rows with the same prompt and answer give one, which is finished if any of them is.
    - A text is part of the pre-training corpus.
    """
    prompts: dict[str, Prompt] = {}
    comparisons: list[Comparison] = []
    # Dictionaries, because they keep the rows' order and drop repetitions.
    finished: dict[tuple[Conversation, str], bool] = {}
    corpus: dict[Document, None] = {}
    for example in examples:
        if example.text is not None:
            corpus[Document(text=example.text)] = None
        if example.prompt is None:
            continue
        prompt = prompt_row(example.prompt, shares, example.opening, example.kind)
        prompt = prompts.setdefault(prompt.id, prompt)
        comparisons += comparisons_of(example, prompt)
        for answer in example.imitated() if prompt.split == "train" else ():
            finished[prompt.messages, answer] = finished.get((prompt.messages, answer)) or example.is_finished(answer)
            if example.is_finished(answer):  # a document closes the turn
                corpus[_document(prompt.messages, answer)] = None
    demonstrations = (
        Demonstration(prompt=messages, completion=answer, finished=end) for (messages, answer), end in finished.items()
    )
    return Dataset(tuple(corpus), tuple(demonstrations), tuple(prompts.values()), tuple(comparisons))


def prompt_row(
    messages: Conversation, shares: Mapping[Split, float], opening: Message | None = None, kind: str | None = None
) -> Prompt:
    """The prompt with its id, its slice, and its split, which goes by `opening` if the messages lack it."""
    split = split_of((opening,) if opening else messages, shares)
    return Prompt(id=prompt_digest(messages)[:ID_LENGTH], messages=messages, split=split, kind=kind)


def comparisons_of(example: Example, prompt: Prompt) -> Iterator[Comparison]:
    """A comparison for each verdict by which one of two answers is better; ties and skips give none."""
    for pair in example.pairs():
        if pair.decided:
            chosen, rejected = pair.decided
            yield Comparison(
                prompt_id=prompt.id,
                prompt=prompt.messages,
                chosen=chosen.text,
                rejected=rejected.text,
                chosen_finished=chosen.finished,
                rejected_finished=rejected.finished,
                split=prompt.split,
                kind=prompt.kind,
                annotator=pair.opinion.annotator,
                judge=pair.opinion.judge,
                probability=_chance_of_chosen(pair),
                origin=origin_of(example, pair.opinion, {"chosen": chosen, "rejected": rejected}),
            )


def origin_of(example: Example, opinion: Opinion, answers: Mapping[str, Answer]) -> Origin | None:
    """What a row says beyond a verdict: of the opinion, of the whole row, and of each answer by its part."""
    origin: Origin = dict(opinion.origin or {})
    if sum(map(len, opinion.ranking)) > 2:
        origin["ranking"] = [list(group) for group in opinion.ranking]
    if example.origin:
        origin["row"] = example.origin
    return origin | {part: answer.origin for part, answer in answers.items() if answer.origin} or None


def _chance_of_chosen(pair: Pair) -> float | None:
    """None too where the chance speaks against the verdict."""
    if pair.probability is None:
        return None
    chance = pair.probability if pair.choice == "first" else 1 - pair.probability
    return chance if chance >= 0.5 else None


def _document(prompt: Conversation, answer: str) -> Document:
    return Document(messages=(*prompt, assistant(answer)))
