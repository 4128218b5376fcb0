import json
from math import exp, log
from typing import Any

import pytest

from stemma.judging.reply import UnreadableError, read_reply, read_verdict, shown_model
from tests.chat_server import Answered, completion

TOKENS = ("1", "2")


def body(answered: Answered) -> Any:
    return json.loads(answered.body)


def test_the_chance_is_the_first_verdicts_share_of_both() -> None:
    told = body(completion("2", {"2": log(0.5), "1": log(0.2), " 1": log(0.1), "two": log(0.2)}))
    reply = read_reply(told, "toy", TOKENS, reasoning=False)
    assert reply.probability == pytest.approx(0.3 / 0.8)
    assert reply.raw == {"text": "2", "probabilities": {"1": 0.3, "2": 0.5}}
    assert reply.tokens == 10


def test_without_log_probabilities_the_words_decide() -> None:
    assert read_reply(body(completion(" 1\n")), "toy", TOKENS, reasoning=False).probability == 1
    assert read_reply(body(completion("2")), "toy", TOKENS, reasoning=False).probability == 0


def test_only_one_verdict_among_the_likeliest_is_certain_and_none_is_unreadable() -> None:
    assert read_reply(body(completion("1", {"1": -0.1, "x": -3})), "toy", TOKENS, reasoning=False).probability == 1
    with pytest.raises(UnreadableError, match="no verdict is among its likeliest tokens"):
        read_reply(body(completion("x", {"x": -0.1, "y": -3})), "toy", TOKENS, reasoning=False)


def test_where_something_else_was_said_both_verdicts_must_be_listed() -> None:
    told = body(completion("I", {"I": log(0.9), "1": log(0.03), "2": log(0.01)}))
    assert read_reply(told, "toy", TOKENS, reasoning=False).probability == pytest.approx(0.75)
    with pytest.raises(UnreadableError, match="it said something else"):
        read_reply(body(completion("I", {"I": log(0.9), "1": log(1e-6)})), "toy", TOKENS, reasoning=False)


def test_after_reasoning_the_last_token_counts() -> None:
    told = body(completion("1 is good.\nVerdict: 2"))
    steps = [{"token": "1", "logprob": 0.0}, {"token": " ", "logprob": 0.0}]
    last = {
        "token": "2",
        "logprob": -0.1,
        "top_logprobs": [{"token": "2", "logprob": -0.1}, {"token": "1", "logprob": -2.0}],
    }
    told["choices"][0]["logprobs"] = {"content": [*steps, last, {"token": "\n", "logprob": 0.0}]}
    reply = read_reply(told, "toy", TOKENS, reasoning=True)
    assert reply.probability == pytest.approx(exp(-2) / (exp(-2) + exp(-0.1)))


def test_an_end_of_turn_behind_the_verdict_is_not_read_as_one() -> None:
    told = body(completion("Verdict: 2"))
    steps = [
        {"token": "2", "logprob": log(0.8), "top_logprobs": [top("2", 0.8), top("1", 0.2)]},
        {"token": "<|im_end|>", "logprob": log(0.9), "top_logprobs": [top("<|im_end|>", 0.9), top("1", 0.1)]},
    ]
    told["choices"][0]["logprobs"] = {"content": steps}
    assert read_reply(told, "toy", TOKENS, reasoning=True).probability == pytest.approx(0.2)


def test_a_reasoned_verdict_without_a_token_of_its_own_is_unreadable() -> None:
    told = body(completion("Verdict: 2", {"Verdict: 2": -0.1}))
    with pytest.raises(UnreadableError, match="its verdict is not a token of its own"):
        read_reply(told, "toy", TOKENS, reasoning=True)


def top(token: str, chance: float) -> dict[str, Any]:
    return {"token": token, "logprob": log(chance)}


@pytest.mark.parametrize(
    ("text", "reasoning", "found"),
    [("1", False, "1"), ("\n 2 \n", False, "2"), ("both fine\n\nVerdict: 1\n", True, "1"), ("Verdict:2", True, "2")],
)
def test_a_verdict_is_read(text: str, reasoning: bool, found: str) -> None:
    assert read_verdict(text, TOKENS, reasoning) == found


@pytest.mark.parametrize(
    ("text", "reasoning"),
    [
        ("Answer 1", False), ("12", False), ("1 or 2", False), ("1\n2", False), ("", False), ("3", False),
        ("１", False), ("1", True), ("Verdict: 1\nor not", True), ("Verdict: 1 or 2", True),
        ("Verdict:", True), ("", True),
    ],
)  # fmt: skip
def test_nothing_is_guessed(text: str, reasoning: bool) -> None:
    with pytest.raises(UnreadableError):
        read_verdict(text, TOKENS, reasoning)


def logprobs_of(logprob: Any) -> Any:
    token = {"token": "1", "logprob": logprob}
    return {"choices": [{"message": {"content": "1"}, "logprobs": {"content": [token]}}]}


@pytest.mark.parametrize(
    "told",
    [
        None, 3, [], {}, {"choices": []}, {"choices": [None]}, {"choices": [{}]}, {"choices": [{"message": None}]},
        {"choices": [{"message": {"content": None}}]}, {"choices": [{"message": {"content": " "}}]},
        {"choices": [{"message": {"content": "1"}, "logprobs": {"content": [{"token": "1"}]}}]},
        {"choices": [{"message": {"content": "1"}, "logprobs": {"content": [{"token": "1", "logprob": "x"}]}}]},
        {"choices": [{"message": {"content": "1"}, "logprobs": {"content": [{"token": "1", "logprob": 1e9}]}}]},
        logprobs_of(float("nan")), logprobs_of(float("inf")), logprobs_of("nan"), logprobs_of("inf"), logprobs_of(1.0),
        {"choices": [{"message": {"content": "1"}, "logprobs": {"content": [{"token": "1", "top_logprobs": 3}]}}]},
        {"choices": [{"message": {"content": "maybe"}, "logprobs": {"content": 5}}]},
    ],
)  # fmt: skip
def test_what_is_no_completion_is_unreadable(told: Any) -> None:
    with pytest.raises(UnreadableError):
        read_reply(told, "toy", TOKENS, reasoning=False)


def test_what_the_server_says_of_the_model_is_kept_but_no_path() -> None:
    told = body(completion("1", model="/home/me/judge@main", system_fingerprint="fp_1"))
    raw = read_reply(told, "toy", TOKENS, reasoning=False).raw
    assert raw["served"] == "judge@main"
    assert raw["fingerprint"] == "fp_1"
    assert shown_model("Qwen/Qwen2.5-7B") == "Qwen/Qwen2.5-7B"
