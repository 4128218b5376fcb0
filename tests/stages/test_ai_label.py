import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from math import log
from pathlib import Path
from typing import Any

import pytest

from stemma.records.json_file import read_json
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Prompt, Response, Verdict
from stemma.stage.door import run_stage
from stemma.stage.manifest import write_manifest
from stemma.world.gold import gold_score
from stemma.world.phrases import ABSTENTION, REFUSAL, VALUE_ANSWER
from tasks.ai_label import AiLabelConfig, label_by_ai
from tasks.data import DataConfig, prepare_data
from tests.chat_server import Answered, Body, ChatServer, chat_server, completion

ROOT = Path(__file__).parents[2]
Project = Callable[..., Path]
WORLD = {
    "known_names": 8,
    "unknown_names": 6,
    "validation_prompts": 15,
    "test_prompts": 15,
    "corpus_documents": 300,
    "demonstrations": 40,
    "train_prompts": 30,
}
ANSWERS = (VALUE_ANSWER.format(value="red"), ABSTENTION, REFUSAL, "")
DATA, SAMPLE, LABELS = (Path("artifacts", name) for name in ("data", "sample", "ai_label"))
CONSTITUTION = """
name: plain
version: 3
principles: [be right]
compare:
  user: "{conversation}\\n1={first}\\n2={second}"
"""


def endpoint(server: ChatServer, **more: Any) -> dict[str, Any]:
    return {"kind": "endpoint", "name": "toy", "base_url": server.url, "model": "toy", "version": "7", **more}


def make(project: Project, *judges: Mapping[str, Any], **more: Any) -> Path:
    """A project of the default world whose sample has the same answers to every prompt."""
    folder = project(data={"world": WORLD}, ai_label={"judges": list(judges), "constitution": "plain", **more})
    (folder / "inputs" / "constitutions").mkdir(parents=True)
    (folder / "inputs" / "constitutions" / "plain.yaml").write_text(CONSTITUTION)
    run_stage("data", DataConfig, prepare_data)
    SAMPLE.mkdir()
    rows = [
        Response(prompt_id=prompt.id, index=index, text=text, finished=True)
        for prompt in read_rows(DATA / "prompts.jsonl", Prompt)
        for index, text in enumerate(ANSWERS)
    ]
    write_rows(SAMPLE / "responses.jsonl", rows)
    write_manifest(SAMPLE, "sample", {"data": DATA})
    return folder


def run() -> None:
    run_stage("ai_label", AiLabelConfig, label_by_ai)


def fails(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit, match="2"):
        run()
    assert not LABELS.exists()
    return capsys.readouterr().err


def shown(body: Body) -> tuple[str, str, str]:
    """The question and the two answers in a prompt of the plain constitution."""
    question, first, second = body["messages"][-1]["content"].rsplit("\n", 2)
    return question.removeprefix("user: "), first.removeprefix("1="), second.removeprefix("2=")


def oracle(leaning: float = 0.0) -> Callable[[Body, int], Answered]:
    """Tells the gold rule's verdict with a chance of 0.9, `leaning` added to whatever is shown first."""
    prompts: dict[str, Prompt] = {}

    def answer(body: Body, _: int) -> Answered:
        if not prompts:
            prompts.update({row.messages[-1].content: row for row in read_rows(DATA / "prompts.jsonl", Prompt)})
        question, first, second = shown(body)
        worth = [gold_score(prompts[question], text, True) for text in (first, second)]
        chance = 0.5 if worth[0] == worth[1] else 0.9 if worth[0] > worth[1] else 0.1
        chance = min(0.99, max(0.01, chance + leaning))
        return completion(
            "1" if chance >= 0.5 else "2", {"1": log(chance * 0.8), " 2": log((1 - chance) * 0.8), "x": log(0.2)}
        )

    return answer


def test_without_a_judge_nothing_is_asked_and_torch_is_not_imported(project: Project) -> None:
    folder = make(project)
    code = (
        "import sys, tasks.ai_label as t; t.run_stage('ai_label', t.AiLabelConfig, t.label_by_ai); "
        "print('torch' in sys.modules)"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=folder,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["False"]
    assert time.monotonic() - began < 5
    assert (LABELS / "verdicts.jsonl").read_bytes() == b""
    assert read_json(LABELS / "report.json") == {"judges": {}}


def test_both_orders_are_asked_and_averaged(project: Project) -> None:
    with chat_server(oracle(leaning=0.2)) as server:
        make(project, endpoint(server))
        run()
    prompts = {prompt.id: prompt for prompt in read_rows(DATA / "prompts.jsonl", Prompt)}
    verdicts = read_rows(LABELS / "verdicts.jsonl", Verdict)
    assert len(verdicts) == 3 * len(prompts)
    for verdict in verdicts:
        worth = [gold_score(prompts[verdict.prompt_id], text, True) for text in (verdict.first, verdict.second)]
        expected = (
            (0.5, "tie") if worth[0] == worth[1] else (0.845, "first") if worth[0] > worth[1] else (0.155, "second")
        )
        # 0.9 + 0.2 is cut to 0.99: (0.99 + 1 - 0.3) / 2 is what the two orders give
        assert verdict.probability == pytest.approx(expected[0])
        assert verdict.choice == expected[1]
        assert verdict.judge == "toy"
        origin: Any = verdict.origin
        assert [row["order"] for row in origin["orders"]] == ["first_second", "second_first"]
        assert origin["model"] == {"kind": "endpoint", "name": "toy", "version": "7"}
        assert origin["constitution"]["version"] == 3
        assert all(len(row["prompt_sha256"]) == 64 and row["seed"] == 0 for row in origin["orders"])
        assert set(origin["orders"][0]["raw"]["probabilities"]) == {"1", "2"}
    report = read_json(LABELS / "report.json")["judges"]["toy"]
    assert report["verdicts"] == len(verdicts)
    assert report["broken"] == {}
    assert report["tokens"] == 20 * len(verdicts)
    assert report["check"]["agreement"]["estimate"] == 1
    assert report["check"]["shown_first"]["estimate"] == 0.5


def test_a_second_run_asks_nothing_and_gives_the_same_bytes(project: Project) -> None:
    with chat_server(oracle()) as server:
        make(project, endpoint(server))
        run()
        first, asked = {path.name: path.read_bytes() for path in LABELS.iterdir()}, len(server.asked)
        assert asked == len(set(map(json.dumps, server.asked)))
        run()
        assert {path.name: path.read_bytes() for path in LABELS.iterdir()} == first
        assert len(server.asked) == asked


def test_a_killed_stage_goes_on_where_it_was(project: Project) -> None:
    right = oracle()

    def slow(body: Body, number: int) -> Answered:
        time.sleep(0.005)
        return right(body, number)

    with chat_server(slow) as server:
        folder = make(project, endpoint(server, concurrency=4))
        run()
        whole = (LABELS / "verdicts.jsonl").read_bytes()
        distinct = len({json.dumps(body) for body in server.asked})
        (folder / ".stemma" / "judge-cache" / "answers.db").unlink()
        server.asked.clear()
        process = subprocess.Popen(
            [sys.executable, "-m", "tasks.ai_label"], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=folder,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        while len(server.asked) < distinct // 2:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.1)
        before = [json.dumps(body) for body in server.asked]
        assert len(before) < distinct
        run()
        after = [json.dumps(body) for body in server.asked[len(before) :]]
        # What was under way when it was killed is asked again; what was answered is not.
        assert len(set(before) & set(after)) <= 4
        assert set(before) | set(after) == {json.dumps(body) for body in server.asked}
        assert len(set(before) | set(after)) == distinct
        assert (LABELS / "verdicts.jsonl").read_bytes() == whole


def test_what_cannot_be_read_is_counted_and_never_guessed(project: Project) -> None:
    def sometimes(body: Body, _: int) -> Answered:
        first = shown(body)[1]
        return completion("maybe" if first == REFUSAL else "1")

    with chat_server(sometimes) as server:
        make(project, endpoint(server, attempts=2, logprobs=False), most_broken_share=0.5, check_pairs=0)
        run()
    verdicts = read_rows(LABELS / "verdicts.jsonl", Verdict)
    assert verdicts
    assert all(REFUSAL not in (verdict.first, verdict.second) for verdict in verdicts)
    assert {verdict.probability for verdict in verdicts} == {0.5}
    report = read_json(LABELS / "report.json")["judges"]["toy"]
    unread = {json.dumps(body) for body in server.asked if shown(body)[1] == REFUSAL}
    assert report["broken"] == {"it is no verdict": len(unread)}
    assert len(server.asked) == 2 * len(unread) + len({json.dumps(body) for body in server.asked} - unread)


def test_too_much_that_cannot_be_read_stops_the_stage(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    with chat_server(lambda *_: completion("As a language model, I like both.")) as server:
        make(project, endpoint(server, attempts=1))
        error = fails(capsys)
        assert "cannot be read: it is no verdict" in error
        assert "As a language model, I like both." in error
        assert "most_broken_share" in error
        assert len(server.asked) < 60


def test_a_judge_under_the_bar_stops_the_stage_before_the_rest_is_asked(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    right = oracle()

    def wrong(body: Body, number: int) -> Answered:
        told = json.loads(right(body, number).body)["choices"][0]["message"]["content"]
        return completion("2" if told == "1" else "1")

    with chat_server(wrong) as server:
        make(project, endpoint(server, logprobs=False), check_pairs=20)
        error = fails(capsys)
        assert "judge toy agrees with people on" in error
        assert "ai_label.least_agreement is 0.6" in error
        assert len(server.asked) <= 40


def test_two_judges_of_one_name_are_refused(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    with chat_server(oracle()) as server:
        make(project, endpoint(server), endpoint(server))
        assert "two judges have the same name; rename one" in fails(capsys)
