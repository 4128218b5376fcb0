"""Every reason for which a row is rejected."""

import json
import re
from typing import Any

import pytest

from stemma.records.fault import RowFault
from stemma.records.recognition import form_named, read_as, read_example

USER = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "hello"}
OTHER = {"role": "assistant", "content": "go away"}
SYSTEM = {"role": "system", "content": "be kind"}
MORE = {"role": "user", "content": "more"}
PAIR = {"prompt": "a", "answer1": "b", "answer2": "c"}
LEFT = {"type": "pairwise", "value": {"selected": "left"}}
HH = "\n\nHuman: hi\n\nAssistant: hello"

FAULTS: list[tuple[Any, str, str]] = [
    ("a text", "(row)", "is not an object with fields"),
    ({}, "(fields)", "are of no known form: nothing; "),
    ({"instruction": "a", "input": "", "result": "b"}, "(fields)", "are of no known form: input+instruction+result; "),
    ({"prompt": "a", "completion": "b", "label": False}, "(fields)", "no known form: completion+label+prompt; "),
    ({"prompt": "a", "completion": "b", "label": False}, "(fields)", "label may say how good an answer is, so the row"),
    ({"prompt": "a", "completion": "b", "Score": 1}, "(fields)", "make pairs of chosen and rejected answers"),
    ({"prompt": "hi", "id": 7}, "(fields)", "such as an id, can be left out with data.ignored_fields, and"),
    ({"text": 5}, "text", "must be a text: it is a number"),
    ({"text": {}}, "text", "must be a text: it is an object"),
    ({"text": []}, "text", "must be a text: it is a list"),
    ({"text": True}, "text", "must be a text: it is a truth value"),
    ({"text": " \n"}, "text", "is empty"),
    ({"data": {}, "annotations": float("nan")}, "annotations", "holds NaN, an infinity or a number too long"),
    ({"text": "a", "x": [{"b": 2**63}]}, "x[0].b", "holds NaN, an infinity or a number too long"),
    ({"text": json.loads("[" * 50 + "]" * 50)}, "(row)", "is nested deeper than 40 levels"),
    ({"text": "\ud83d"}, "text", "holds half of a surrogate pair, which is no letter"),
    ({"prompt": ""}, "prompt", "is empty"),
    ({"prompt": []}, "prompt", "has no message of the user"),
    ({"prompt": [SYSTEM]}, "prompt", "has no message of the user"),
    ({"prompt": [USER, ANSWER]}, "prompt", "must end with the user's message"),
    ({"prompt": [USER, MORE]}, "prompt", "repeats a role: turn 2 is the user's again"),
    ({"prompt": [ANSWER, USER]}, "prompt", "must begin with the user: it begins with the assistant"),
    ({"prompt": [USER, SYSTEM]}, "prompt", "has a system message after the first: turn 2"),
    ({"prompt": ["hi"]}, "prompt[0]", "must be a message with role and content: it is a text"),
    ({"prompt": [{"role": "user"}]}, "prompt[0]", "must have role and content, and nothing else: it has role"),
    ({"prompt": [{**USER, "name": "x"}]}, "prompt[0]", "and nothing else: it has content, name, role"),
    ({"prompt": [{**USER, "role": "tool"}]}, "prompt[0].role", "must be one of system, user, assistant: it is 'tool'"),
    ({"prompt": [{**USER, "content": []}]}, "prompt[0].content", "must be a text: it is a list"),
    ({"prompt": [{**USER, "content": ""}]}, "prompt[0].content", "is empty"),
    ({"prompt": "hi", "completion": " "}, "completion", "is empty"),
    ({"prompt": "hi", "completion": [USER]}, "completion", "must hold one assistant message: it holds the role user"),
    ({"prompt": "hi", "completion": []}, "completion", "must hold one assistant message: it holds 0 messages"),
    ({"messages": "hi"}, "messages", "must be a list of messages: it is a text"),
    ({"messages": [USER]}, "messages", "must end with the assistant's answer"),
    ({"prompt": "hi", "chosen": "a", "rejected": " a"}, "rejected", "is the same as chosen"),
    ({"prompt": "hi", "chosen": "", "rejected": "a"}, "chosen", "is empty"),
    ({"chosen": [USER, ANSWER], "rejected": [USER, ANSWER]}, "rejected", "is the same as chosen"),
    ({"chosen": [USER, ANSWER], "rejected": "text"}, "rejected", "must be a list of messages: it is a text"),
    (
        {"chosen": [USER, ANSWER], "rejected": [MORE, ANSWER]},
        "rejected",
        "has another prompt than chosen: they part at turn 1",
    ),
    (
        {"chosen": [USER, ANSWER, MORE, ANSWER], "rejected": [USER, ANSWER]},
        "rejected",
        "has another prompt than chosen: they part at turn 3",
    ),
    ({"chosen": "the sky", "rejected": "the sky"}, "rejected", "is the same as chosen"),
    (
        {"chosen": "blue", "rejected": "black"},
        "rejected",
        "begins with another word than chosen, so that the two share",
    ),
    ({"chosen": "sky is ", "rejected": "sky is red"}, "chosen", "has nothing after the words that both begin with"),
    ({"chosen": "sky is red", "rejected": "sky is "}, "rejected", "has nothing after the words that both begin with"),
    ({"chosen": HH, "rejected": HH}, "rejected", "is the same as chosen"),
    ({"chosen": HH, "rejected": "go away"}, "rejected", 'must begin with "Human:", as a transcript does'),
    ({"chosen": HH, "rejected": "\n\nHuman: hi\n\nAssistant: "}, "rejected", "has an empty answer: turn 2"),
    ({"chosen": HH, "rejected": "\n\nHuman:\n\nAssistant: a"}, "rejected", "has an empty turn: turn 1"),
    ({"chosen": HH + "\n\nAssistant: a", "rejected": HH}, "chosen", "repeats a role: turn 3 is the assistant's again"),
    (
        {"chosen": HH, "rejected": "\n\nAssistant: a"},
        "rejected",
        "must begin with the user: it begins with the assistant",
    ),
    ({"chosen": HH, "rejected": HH + "\n\nHuman: a"}, "rejected", "must end with the assistant's answer"),
    (
        {"chosen": HH + "\n\nHuman: a\n\nAssistant: b", "rejected": HH + "\n\nHuman: A\n\nAssistant: b"},
        "rejected",
        "has another prompt than chosen: they part at turn 3",
    ),
    ({"instruction": "a", "output": "b", "history": [["c"]]}, "history[0]", "what was said: it holds 1 values"),
    ({"conversations": [], "chosen": {}, "rejected": {}}, "conversations", "has no message of the user"),
    ({"conversations": [{"from": "observation", "value": "a"}]}, "conversations[0].from", "must be one of system, hum"),
    ({"info": {}, "summaries": [], "choice": 0}, "info.post", "is missing"),
    ({"info": {"post": "a"}, "summaries": [{}], "choice": 0}, "summaries", "must be two: there are 1"),
    (
        {"instruction": "a", "output_1": "b", "output_2": "c", "preference": 3},
        "preference",
        "must be 1 or 2, or between",
    ),
    ({"prompt": "a", "responses": ["b", "c"], "pairs": [[0, 2]]}, "pairs[0][1]", "a whole number from 0 to 1: it is 2"),
    ({"prompt": "a", "responses": ["b", "c"], "pairs": [[0, 0]]}, "pairs[0]", "holds the same response twice"),
    ({"instruction": "a", "completions": [{}]}, "completions", "must be two or more: there are 1"),
    (
        {"instruction": "a", "completions": [{"response": "b", "annotations": {"x": {"Rating": "N/A"}}}] * 2},
        "completions[0].annotations",
        "hold no rating",
    ),
    ({"data": {"answer1": "a", "answer2": "b"}, "annotations": []}, "data", "must hold one of prompt, instruction, qu"),
    ({"data": {"prompt": "a", "answer1": "b"}, "annotations": []}, "data", "must hold the answers as answer1, answer2"),
    (
        {"data": PAIR, "annotations": [{"result": [LEFT, LEFT]}]},
        "annotations[0].result",
        "holds 2 comparisons; which one",
    ),
    (
        {"data": PAIR, "annotations": [{"result": [{"type": "pairwise", "value": {"selected": "A"}}]}]},
        "annotations[0].result.value.selected",
        "is neither left nor right; name what it stands for by --selected: 'A'",
    ),
    ({**PAIR, "q.responses": [["answer3"], ["answer1"]]}, "q.responses", "must name the record's answers, each once"),
    (
        {**PAIR, "q.responses": [["answer1", "answer2"]], "q.responses.users": []},
        "q.responses",
        "must be as many as users and status: 1, 0, 1",
    ),
]


@pytest.mark.parametrize(("row", "field", "reason"), FAULTS)
def test_a_row_is_refused_with_field_and_reason(row: Any, field: str, reason: str) -> None:
    with pytest.raises(RowFault, match=re.escape(reason)) as caught:
        read_example(row)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"prompt": "a", "completion": "b", "label": False}, "label"),
        ({"messages": [USER, ANSWER], "Rating": 1}, "Rating"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "flipped": True}, "flipped"),
    ],
)
def test_a_field_that_may_judge_an_answer_is_never_left_out(row: dict[str, Any], field: str) -> None:
    with pytest.raises(RowFault, match="may say how good an answer is, so the row is not taken without it") as caught:
        read_example(row, ignored=("id", field))
    assert caught.value.field == field
    named = "messages" if "messages" in row else "+".join(name for name in row if name != field)
    with pytest.raises(RowFault, match="is not taken without it"):
        read_as(form_named(named), row)


def test_fields_that_judge_no_answer_are_left_out_as_the_user_says() -> None:
    assert read_example({"text": "a", "label": "sports"}, ignored=("label",)).text == "a"
    assert read_example({"prompt": "a", "completion": "b", "label": None}, ignored=("label",)).target == "b"
    assert read_example({"prompt": "a", "chosen": "b", "rejected": "c", "score": 1}, ignored=("score",)).opinions
