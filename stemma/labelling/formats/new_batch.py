"""A labelling batch from the prompts and answers of files."""

from collections.abc import Iterable

from stemma.errors import DataError
from stemma.labelling.store.batch import Form, NewBatch, NewItem
from stemma.records.example import Example
from stemma.records.own_data import ID_LENGTH
from stemma.records.splits import prompt_digest


def batch_of(name: str, examples: Iterable[Example], guidelines: str, overlap: int, files: Iterable[str]) -> NewBatch:
    """Put every prompt with two answers or more into a batch, each set of answers to a prompt once.

    What was said of them is left behind, except that an annotation marked as ground truth makes a gold item.
    Raises DataError where nothing in the files can be compared.
    """
    items: dict[tuple[str, tuple[str, ...]], NewItem] = {}
    for example in examples:
        texts = tuple(dict.fromkeys(answer.text for answer in example.answers))
        if example.prompt is not None and len(texts) > 1:
            prompt_id = prompt_digest(example.prompt)[:ID_LENGTH]
            item = NewItem(
                prompt_id, example.prompt, texts, _gold(example, texts), origin=example.origin,
                finished=tuple(example.is_finished(text) for text in texts),
            )  # fmt: skip
            items.setdefault((prompt_id, texts), item)
    if not items:
        raise DataError("no row of the files has two answers to compare, so there is nothing to label")
    form: Form = "pair" if all(len(item.answers) == 2 for item in items.values()) else "rank"
    return NewBatch(name, tuple(items.values()), guidelines, form, overlap, source={"files": ", ".join(files)})


def _gold(example: Example, texts: tuple[str, ...]) -> int | None:
    """The answer that an annotation marked as ground truth puts first."""
    for opinion in example.opinions:
        best = opinion.ranking[0]
        if (opinion.origin or {}).get("ground_truth") is True and not opinion.void and len(best) == 1:
            return texts.index(example.answers[best[0]].text)
    return None
