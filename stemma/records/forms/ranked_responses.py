"""Several answers to a prompt and which of two is better, as DPO's reference code holds them (Rafailov et al. 2023).

`{"prompt": …, "responses": ["…", …], "pairs": [[better, worse], …], "sft_target": "…"}`; pairs hold places in
responses, counted from 0.
"""

from collections.abc import Iterator
from typing import Any

from stemma.records.conversation import message_list, only_question, prompt_of, text_of
from stemma.records.example import Answer, Example, Opinion
from stemma.records.fault import RowFault
from stemma.records.fields import index_of, list_of
from stemma.records.forms.form import Form, Row


def read_responses(row: Row) -> Example:
    """Read a prompt, its answers and the pairs. Raises RowFault where a part is misshapen."""
    responses = list_of(row["responses"], "responses")
    texts = [text_of(value, f"responses[{index}]").strip() for index, value in enumerate(responses)]
    pairs = list_of(row["pairs"], "pairs")
    target = row.get("sft_target")
    return Example(
        form="responses+pairs",
        prompt=prompt_of(row["prompt"], "prompt"),
        target=None if target is None else text_of(target, "sft_target").strip(),
        answers=tuple(Answer(text=text) for text in texts),
        opinions=tuple(_opinion(pair, f"pairs[{index}]", len(texts)) for index, pair in enumerate(pairs)),
    )


def write_responses(example: Example) -> Iterator[dict[str, Any]]:
    """Write the answers and every preference; a prompt of one question is written as its text."""
    if not example.answers:
        return
    prompt = example.prompt or ()
    question = only_question(prompt)
    yield {
        "prompt": message_list(prompt) if question is None else question,
        "responses": [answer.text for answer in example.answers],
        "pairs": [list(pair) for pair in _pairs(example)],
        **({} if example.target is None else {"sft_target": example.target}),
    }


def _pairs(example: Example) -> Iterator[tuple[int, int]]:
    for opinion in example.opinions:
        for place, better in enumerate(opinion.ranking):
            worse = [index for group in opinion.ranking[place + 1 :] for index in group]
            yield from ((one, other) for one in better for other in worse)


def _opinion(value: Any, field: str, count: int) -> Opinion:
    pair = list_of(value, field)
    if len(pair) != 2:
        raise RowFault(field, f"must hold the better and the worse response: it holds {len(pair)} values")
    better, worse = (index_of(index, f"{field}[{place}]", count) for place, index in enumerate(pair))
    if better == worse:
        raise RowFault(field, "holds the same response twice")
    return Opinion(ranking=((better,), (worse,)))


FORMS = (
    Form(
        "responses+pairs",
        frozenset({"prompt", "responses", "pairs"}),
        read_responses,
        write_responses,
        frozenset({"sft_target"}),
    ),
)
