from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.records.dataset import Dataset
from stemma.records.example import Answer, Example, Opinion, preferred
from stemma.records.own_data import make_dataset
from stemma.records.types import Comparison, Demonstration, Document, Message, Split

ALL_TRAIN: dict[Split, float] = {"judge": 0.0, "validation": 0.0, "test": 0.0}
HALF: dict[Split, float] = {"judge": 0.2, "validation": 0.2, "test": 0.2}
HI = (Message(role="user", content="hi"),)
HELLO = Message(role="assistant", content="hello")


def pair(question: str, chosen: str = "good", rejected: str = "bad") -> Example:
    prompt = (Message(role="user", content=question),)
    return preferred("prompt+chosen+rejected", prompt, chosen, rejected)


def test_a_pair_gives_a_comparison_a_demonstration_and_a_document() -> None:
    data = make_dataset([preferred("chosen+rejected", HI, "hello", "go away")], ALL_TRAIN)
    prompt_id = data.prompts[0].id
    assert data == Dataset(
        corpus=(Document(messages=(*HI, HELLO)),),
        demonstrations=(Demonstration(prompt=HI, completion="hello"),),
        prompts=data.prompts,
        comparisons=(Comparison(prompt_id=prompt_id, prompt=HI, chosen="hello", rejected="go away", split="train"),),
    )


def test_texts_and_prompts_alone_give_no_demonstration() -> None:
    data = make_dataset([Example(form="text", text="a text"), Example(form="prompt", prompt=HI)], ALL_TRAIN)
    assert data.corpus == (Document(text="a text"),)
    assert [prompt.messages for prompt in data.prompts] == [HI]
    assert data.counts() == {
        "corpus": 1,
        "demonstrations": 0,
        "assistant_turns": 0,
        "prompts": {"train": 1},
        "kinds": {},
        "comparisons": {},
        "probe": 0,
    }


def test_a_repeated_prompt_is_one_prompt_with_all_its_comparisons() -> None:
    data = make_dataset([pair("q"), pair("q", rejected="worse"), pair("q", "good", "worst")], ALL_TRAIN)
    assert len(data.prompts) == len(data.demonstrations) == len(data.corpus) == 1
    assert [comparison.rejected for comparison in data.comparisons] == ["bad", "worse", "worst"]


@pytest.mark.parametrize("ends", [(True, False), (False, True), (False, False)])
def test_an_answer_once_finished_and_once_cut_is_one_demonstration_the_finished_one(ends: tuple[bool, bool]) -> None:
    rows = [
        preferred("prompt+chosen+rejected", HI, "hello", worse, finished=(end, True))
        for worse, end in zip(("bad", "worse"), ends, strict=True)
    ]
    data = make_dataset(rows, ALL_TRAIN)
    assert data.demonstrations == (Demonstration(prompt=HI, completion="hello", finished=any(ends)),)
    assert data.corpus == (Document(messages=(*HI, HELLO)),) * any(ends)
    assert [comparison.chosen_finished for comparison in data.comparisons] == list(ends)


def test_a_row_that_has_an_answer_finished_and_cut_imitates_the_finished_one() -> None:
    answers = (Answer(text="hello", finished=False), Answer(text="hello"), Answer(text="bad"))
    row = Example(form="ranking", prompt=HI, answers=answers, opinions=(Opinion(ranking=((0, 1), (2,))),))
    assert make_dataset([row], ALL_TRAIN).demonstrations == (Demonstration(prompt=HI, completion="hello"),)


@given(st.lists(st.text(min_size=1), unique=True))
def test_held_out_prompts_are_in_no_demonstration_and_no_document(questions: list[str]) -> None:
    data = make_dataset([pair(question) for question in questions], HALF)
    held_out = {prompt.messages for prompt in data.prompts if prompt.split != "train"}
    assert not held_out & {demonstration.prompt for demonstration in data.demonstrations}
    assert not held_out & {document.messages[:1] for document in data.corpus if document.messages}
    assert len(data.demonstrations) == len(questions) - len(held_out)
    assert {c.prompt_id: c.split for c in data.comparisons} == {p.id: p.split for p in data.prompts}
    assert len({prompt.id for prompt in data.prompts}) == len(questions)


def test_a_dataset_counts_its_rows_and_writes_every_file(tmp_path: Path) -> None:
    data = make_dataset([pair("q")], ALL_TRAIN)
    data.write(tmp_path)
    names = {"corpus.jsonl", "demonstrations.jsonl", "prompts.jsonl", "comparisons.jsonl", "probe.jsonl"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert data.counts() == {
        "corpus": 1,
        "demonstrations": 1,
        "assistant_turns": 1,
        "prompts": {"train": 1},
        "kinds": {},
        "comparisons": {"train": 1},
        "probe": 0,
    }
