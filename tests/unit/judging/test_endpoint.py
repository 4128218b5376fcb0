"""An endpoint judge against a server with a network's faults."""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from stemma.errors import DataError, ServiceError, SettingsError
from stemma.judging import chat_client
from stemma.judging.ai_settings import EndpointConfig
from stemma.judging.endpoint import Endpoint
from stemma.judging.seating import seat
from stemma.judging.text_judge import Bench, TextJudge
from tests.chat_server import Answer, Answered, Body, ChatServer, chat_server, completion
from tests.tiny import MACHINE
from tests.unit.judging.bench import bench, case

CASES = [case(number) for number in range(6)]
BUSY = b'{"error": "busy"}'


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_client, "FIRST_PAUSE", 0.02)


def config(server: ChatServer, **more: Any) -> EndpointConfig:
    fields = {"kind": "endpoint", "name": "toy", "base_url": server.url, "model": "toy", "timeout": 5}
    return EndpointConfig.model_validate(fields | more)


def ask(answer: Answer, folder: Path, most_broken_share: float = 1.0, **more: Any) -> tuple[Any, TextJudge, ChatServer]:
    with chat_server(answer) as server, bench(folder, most_broken_share) as shared:
        settings = config(server, **more)
        judge = TextJudge("toy", Endpoint(settings, ("1", "2")), settings.reasoning, shared)
        return judge.opinions(CASES), judge, server


def faulty(fault: Answered, times: int, then: Answered) -> Answer:
    """Answers each question with a fault so many times before it answers it."""
    seen: dict[str, int] = {}
    lock = threading.Lock()

    def answer(body: Body, _: int) -> Answered:
        with lock:
            key = json.dumps(body)
            seen[key] = seen.get(key, 0) + 1
            return fault if seen[key] <= times else then

    return answer


@pytest.mark.parametrize(
    "fault",
    [
        Answered(BUSY, 429, {"Retry-After": "0"}),
        Answered(BUSY, 429),
        Answered(BUSY, 503),
        Answered(b"oops", 500),
        Answered(b"", 502),
        Answered(b"{}", cut=True),
        Answered(b"<html>gateway</html>"),
        Answered(b'{"choices": '),
        Answered(b"[" * 100_000),
        Answered(b"not zipped", headers={"Content-Encoding": "gzip"}),
        Answered(b"[]"),
        completion("I cannot decide."),
        completion("1", {"x": -0.1}),
    ],
    ids=lambda fault: f"{fault.status} {fault.body[:12]!r} {fault.cut}",
)
def test_what_passes_is_asked_again(tmp_path: Path, fault: Answered) -> None:
    opinions, judge, server = ask(faulty(fault, 2, completion("1")), tmp_path, attempts=3)
    assert [opinion.probability for opinion in opinions] == [0.5] * len(CASES)
    assert judge.broken == {}
    assert len(server.asked) == 3 * 2 * len(CASES)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Answered(b"oops", 500), "HTTP 500"),
        (Answered(b"not json"), "it is not JSON"),
        (completion("neither"), "it is no verdict"),
        (completion(""), "it is empty"),
    ],
)
def test_what_does_not_pass_is_counted(tmp_path: Path, fault: Answered, reason: str) -> None:
    opinions, judge, server = ask(lambda *_: fault, tmp_path, attempts=3)
    assert opinions == [None] * len(CASES)
    assert judge.broken == {reason: 2 * len(CASES)}
    assert len(server.asked) == 3 * 2 * len(CASES)


def test_a_refused_question_is_not_asked_again(tmp_path: Path) -> None:
    refused = Answered(b'{"error": "maximum context length is 8 tokens"}', 400)
    opinions, judge, server = ask(lambda *_: refused, tmp_path)
    assert opinions == [None] * len(CASES)
    assert judge.broken == {"the server refuses it, HTTP 400": 2 * len(CASES)}
    assert len(server.asked) == 2 * len(CASES)
    with pytest.raises(DataError, match="maximum context length is 8 tokens"):
        ask(lambda *_: refused, tmp_path, most_broken_share=0.1)


def test_a_server_that_stays_busy_stops_the_work_with_the_reason(tmp_path: Path) -> None:
    def busy_after_three(_: Body, number: int) -> Answered:
        return completion("1") if number <= 3 else Answered(BUSY, 429)

    with pytest.raises(ServiceError, match=r"is busy \(429\), also after 2 attempts. What it answered so far is kept"):
        ask(busy_after_three, tmp_path, attempts=2, concurrency=1, version="1")
    _, _, server = ask(lambda *_: completion("1"), tmp_path, version="1")
    assert len(server.asked) == 2 * len(CASES) - 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(tmp_path: Path, form: str) -> None:
    came: list[float] = []

    def answer(_: Body, number: int) -> Answered:
        came.append(time.monotonic())
        told = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        return Answered(BUSY, 429, {"Retry-After": told}) if number == 1 else completion("1")

    ask(answer, tmp_path, concurrency=1)
    assert came[1] - came[0] >= 1


def test_a_server_that_wants_an_hour_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="asks to come back in 3600 s"):
        ask(lambda *_: Answered(BUSY, 429, {"Retry-After": "3600"}), tmp_path)


def test_a_slow_answer_is_given_up(tmp_path: Path) -> None:
    def slow(_: Body, number: int) -> Answered:
        time.sleep(0.6 if number == 1 else 0)
        return completion("1")

    opinions, judge, server = ask(slow, tmp_path, timeout=0.3, concurrency=1)
    assert None not in opinions
    assert judge.broken == {}
    assert len(server.asked) == 2 * len(CASES) + 1


def test_a_server_that_is_not_there_is_told_with_its_address(tmp_path: Path) -> None:
    with chat_server(lambda *_: completion("1")) as server:
        gone = config(server, attempts=2)
    with (
        bench(tmp_path) as shared,
        pytest.raises(ServiceError, match=f"{gone.base_url} cannot be reached: ConnectError"),
    ):
        TextJudge("toy", Endpoint(gone, ("1", "2")), False, shared).opinions(CASES)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_model_stops_at_once_and_shows_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("TOY_KEY", "sk-very-secret")
    seen: list[ChatServer] = []

    def answer(_: Body, __: int) -> Answered:
        return Answered(b'{"error": "bad key sk-very-secret"}', status)

    with chat_server(answer) as server, bench(tmp_path) as shared:
        seen.append(server)
        judge = TextJudge("toy", Endpoint(config(server, api_key_variable="TOY_KEY"), ("1", "2")), False, shared)
        with pytest.raises(ServiceError) as fault:
            judge.opinions(CASES)
    assert f"answers {status}" in str(fault.value)
    assert "bad key ***" in str(fault.value)
    assert "sk-very-secret" not in str(fault.value)
    assert seen[0].headers[0]["Authorization"] == "Bearer sk-very-secret"
    assert len(seen[0].asked) <= 8


def test_a_key_that_is_not_set_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOY_KEY", raising=False)
    with pytest.raises(SettingsError, match="the environment variable TOY_KEY is not set"):
        ask(lambda *_: completion("1"), tmp_path, api_key_variable="TOY_KEY")


@pytest.mark.parametrize("key", ["sk-very\nsecret", "sk-very secret", "sk-véry-secret", "sk-very\x7fsecret"])
def test_a_key_that_cannot_be_sent_is_told_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("TOY_KEY", key)
    with pytest.raises(SettingsError, match="the environment variable TOY_KEY holds no key") as fault:
        ask(lambda *_: completion("1"), tmp_path, api_key_variable="TOY_KEY", attempts=1)
    assert "secret" not in str(fault.value)


@pytest.mark.parametrize(
    ("cap", "words"), [({"most_requests": 5}, "was sent 5 requests"), ({"most_tokens": 50}, "has used 50 tokens")]
)
def test_the_cost_cap_stops_and_keeps_what_was_paid_for(tmp_path: Path, cap: dict[str, int], words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        ask(lambda *_: completion("1"), tmp_path, concurrency=1, version="1", **cap)
    _, _, server = ask(lambda *_: completion("1"), tmp_path, version="1")
    assert len(server.asked) == 2 * len(CASES) - 5


def test_the_cost_cap_is_of_all_that_a_judge_is_asked(tmp_path: Path) -> None:
    with chat_server(lambda *_: completion("1")) as server, bench(tmp_path) as shared:
        judge = TextJudge("toy", Endpoint(config(server, most_requests=8), ("1", "2")), False, shared)
        judge.opinions(CASES[:2])
        with pytest.raises(ServiceError, match="was sent 8 requests"):
            judge.opinions(CASES)
    assert len(server.asked) == 8


def test_what_is_under_way_when_the_work_stops_is_finished_and_kept(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="was sent 5 requests"):
        ask(lambda *_: completion("1"), tmp_path, version="1", concurrency=8, most_requests=5)
    _, _, server = ask(lambda *_: completion("1"), tmp_path, version="1")
    assert len(server.asked) == 2 * len(CASES) - 5


def test_nobody_waits_to_ask_again_when_the_work_has_stopped(tmp_path: Path) -> None:
    def answer(_: Body, number: int) -> Answered:
        time.sleep(0.5 if number == 2 else 0)
        return Answered(BUSY, 429, {"Retry-After": "60"}) if number != 2 else Answered(b"no", 404)

    began = time.monotonic()
    with pytest.raises(ServiceError, match="answers 404"):
        ask(answer, tmp_path, concurrency=2)
    assert time.monotonic() - began < 30


def test_never_more_at_once_than_the_settings_allow(tmp_path: Path) -> None:
    now, most, lock = [0], [0], threading.Lock()

    def answer(_: Body, __: int) -> Answered:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return completion("1")

    ask(answer, tmp_path, concurrency=3)
    assert most[0] == 3


def test_a_request_says_what_is_asked_and_how(tmp_path: Path) -> None:
    _, _, server = ask(lambda *_: completion("1"), tmp_path, max_tokens=3)
    body = next(body for body in server.asked if body["messages"][-1]["content"] == "user: question 0 1 yes 2 no")
    assert body == {
        "model": "toy",
        "messages": [{"role": "user", "content": "user: question 0 1 yes 2 no"}],
        "temperature": 0.0,
        "max_tokens": 3,
        "seed": 0,
        "logprobs": True,
        "top_logprobs": 20,
    }
    _, _, plain = ask(lambda *_: completion("1"), tmp_path, logprobs=False)
    assert "logprobs" not in plain.asked[0]


def test_several_samples_have_seeds_of_their_own_and_show_self_consistency(tmp_path: Path) -> None:
    def answer(body: Body, _: int) -> Answered:
        return completion("1" if body["seed"] < 2 else "2")

    opinions, _, server = ask(answer, tmp_path, samples=3)
    assert sorted({body["seed"] for body in server.asked}) == [0, 1, 2]
    assert len(server.asked) == 6 * len(CASES)
    assert [row["probability"] for row in opinions[0].origin["orders"]] == [1.0, 1.0, 0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("change", "asks_again"),
    [({}, False), ({"concurrency": 2, "attempts": 9, "timeout": 9, "most_requests": 99}, False),
     ({"version": "2"}, True), ({"temperature": 0.5}, True), ({"max_tokens": 9}, True), ({"model": "other"}, True)],
)  # fmt: skip
def test_an_answer_is_remembered_by_what_it_depends_on(
    tmp_path: Path, change: dict[str, Any], asks_again: bool
) -> None:
    ask(lambda *_: completion("1"), tmp_path, version="1")
    _, _, server = ask(lambda *_: completion("1"), tmp_path, **{"version": "1", **change})
    assert bool(server.asked) == asks_again


def test_without_a_version_another_address_is_another_model(tmp_path: Path) -> None:
    ask(lambda *_: completion("1"), tmp_path)
    _, _, server = ask(lambda *_: completion("1"), tmp_path)
    assert len(server.asked) == 2 * len(CASES)


@pytest.mark.parametrize(
    "url", ["ftp://a/v1", "not a url", "http://me:secret@host/v1", "http://host/v1?key=secret", "http://host/v1#x"]
)
def test_an_address_that_will_not_do_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        EndpointConfig.model_validate({"kind": "endpoint", "name": "a", "model": "m", "base_url": url})


def test_reasoning_needs_room_and_a_prompt(tmp_path: Path) -> None:
    fields = {"kind": "endpoint", "name": "a", "model": "m", "base_url": "http://127.0.0.1:1/v1", "reasoning": True}
    with pytest.raises(ValueError, match="reasoning does not fit max_tokens 8"):
        EndpointConfig.model_validate(fields)
    thoughtful = EndpointConfig.model_validate({**fields, "max_tokens": 300})
    with bench(tmp_path) as shared:
        mute = shared.constitution.compare.model_copy(update={"with_reasons": None})
        constitution = shared.constitution.model_copy(update={"compare": mute})
        with pytest.raises(SettingsError, match=r"write compare\.with_reasons, or set reasoning to false"):
            seat(thoughtful, MACHINE, Bench(**{**vars(shared), "constitution": constitution}))


def test_progress_is_told(tmp_path: Path) -> None:
    stream = StringIO()
    with chat_server(lambda *_: completion("1")) as server, bench(tmp_path, stream=stream) as shared:
        make: Callable[[], TextJudge] = lambda: TextJudge("toy", Endpoint(config(server), ("1", "2")), False, shared)  # noqa: E731 -- two of it
        make().opinions(CASES)
        make().opinions(CASES)
    said = stream.getvalue().splitlines()
    steps = [line for line in said if ": step " in line]
    assert [line for line in said if line not in steps] == [
        "bench: judge toy: 12 questions, 0 answered before",
        "bench: judge toy: 12 of 12 questions answered",
        "bench: judge toy: 12 questions, 12 answered before",
    ]
    assert steps[0] == "bench: step 0/12  time left not known yet"
