import json
from pathlib import Path
from typing import Any

import pytest
import torch

from stemma.errors import DataError, ServiceError, SettingsError
from stemma.judging.ai_settings import EndpointConfig, RewardModelConfig
from stemma.judging.demonstrations import first_answers, write_demonstrations
from stemma.judging.local_model import generate
from stemma.judging.revise import CUT, revise
from stemma.judging.writers import writer_for
from stemma.models.chat import encode_prompts, encode_texts
from stemma.models.policy import load_policy
from stemma.models.tokenizer import load_tokenizer
from stemma.records.json_file import read_json
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.recognition import read_example
from stemma.records.types import Prompt, Response
from tests.chat_server import Answered, Body, ChatServer, chat_server, completion
from tests.tiny import MACHINE, conversation, tiny_artifact
from tests.unit.judging.bench import PLAIN, bench

ANSWERS = [
    (
        Prompt(id=f"p{number}", messages=conversation(f"question {number}"), split="train"),
        Response(prompt_id=f"p{number}", index=0, text=f"answer {number}", finished=True),
    )
    for number in range(5)
]


def endpoint(server: ChatServer) -> EndpointConfig:
    return EndpointConfig(kind="endpoint", name="toy", base_url=server.url, model="toy", version="1", attempts=2)


def helpful(body: Body, _: int) -> Answered:
    """Criticises, then revises; says nothing of question 3."""
    asked = body["messages"][-1]["content"]
    if "question 3" in asked and "better :" in asked:
        return completion(" ")
    return completion("better " + asked.split()[2] if "better :" in asked else f"critique of {asked.split()[2]}")


def test_each_answer_is_criticised_and_then_revised(tmp_path: Path) -> None:
    with chat_server(helpful) as server, bench(tmp_path / "cache") as shared:
        writer = writer_for(endpoint(server), MACHINE, 0, 300)
        revised = revise(PLAIN, writer, ANSWERS, shared.cache, shared.progress)
        assert {body["max_tokens"] for body in server.asked} == {300}
        assert len(server.asked) == 2 * 5 + 1
        asked_again = [body["messages"][-1]["content"] for body in server.asked if "better :" in str(body)]
        assert "user: question 1 answer 1 critique of 1 better :" in asked_again
        again = revise(PLAIN, writer, ANSWERS, shared.cache, shared.progress)
        assert again == revised
        assert len(server.asked) == 2 * 5 + 1 + 2
    assert [row.revision for row in revised.revisions] == ["better 0", "better 1", "better 2", "better 4"]
    assert revised.lost == {"it is empty": 1}


def test_a_revision_that_was_cut_is_no_demonstration(tmp_path: Path) -> None:
    def cutting(body: Body, number: int) -> Answered:
        """Cuts the revision of answer 1, and the critique of answer 2, of which enough is there."""
        asked = body["messages"][-1]["content"]
        cut = ("question 1" in asked and "better :" in asked) or ("question 2" in asked and "better :" not in asked)
        text = json.loads(helpful(body, number).body)["choices"][0]["message"]["content"]
        return completion(text, finish_reason="length" if cut else "stop")

    with chat_server(cutting) as server, bench(tmp_path) as shared:
        writer = writer_for(endpoint(server), MACHINE, 0, 300)
        for _ in range(2):  # the second time from the cache
            revised = revise(PLAIN, writer, ANSWERS, shared.cache, shared.progress)
            assert [row.revision for row in revised.revisions] == ["better 0", "better 2", "better 4"]
            assert revised.lost == {"it is empty": 1, CUT: 1}
            assert len(server.asked) <= 2 * 5 + 1 + 2


def test_a_local_model_says_which_of_its_texts_came_to_their_end(tmp_path: Path) -> None:
    folder = tiny_artifact(tmp_path / "model")
    tokenizer = load_tokenizer(folder)
    model: Any = load_policy(folder, MACHINE)
    (prompt,) = encode_prompts(tokenizer, [conversation("where does bok live ?")])
    likely = torch.zeros(len(tokenizer))
    model.get_output_embeddings().register_forward_hook(lambda _module, _inputs, logits: logits + likely)
    word = encode_texts(tokenizer, ["bok"])[0][0]
    likely[word] = 1e4
    assert generate(model, tokenizer, [prompt], 3) == [(str(tokenizer.decode([word] * 3)), False)]
    likely[int(tokenizer.eos_token_id)] = 2e4
    assert generate(model, tokenizer, [prompt], 3) == [("", True)]


def test_the_demonstrations_are_what_data_files_reads(tmp_path: Path) -> None:
    with chat_server(helpful) as server, bench(tmp_path / "cache") as shared:
        writer = writer_for(endpoint(server), MACHINE, 0, 300)
        revised = revise(PLAIN, writer, ANSWERS, shared.cache, shared.progress)
        report = write_demonstrations(
            tmp_path / "better.jsonl", revised, {"constitution": shared.told(), "model": writer.origin}
        )
    rows = [json.loads(line) for line in (tmp_path / "better.jsonl").read_text().splitlines()]
    examples = [read_example(row) for row in rows]
    assert [example.form for example in examples] == ["messages"] * 4
    assert rows[0]["messages"] == [
        {"role": "user", "content": "question 0"}, {"role": "assistant", "content": "better 0"},
    ]  # fmt: skip
    told = read_json(report)
    assert report.name == "better.report.json"
    assert told["constitution"]["name"] == "plain"
    assert told["model"] == {"kind": "endpoint", "name": "toy", "version": "1"}
    assert told["lost"] == {"it is empty": 1}
    assert told["rows"][0] == {"prompt_id": "p0", "answer": "answer 0", "critique": "critique of 0"}


def test_work_that_is_stopped_goes_on(tmp_path: Path) -> None:
    def dying(body: Body, number: int) -> Answered:
        return helpful(body, number) if number <= 3 else Answered(b"", 401)

    with bench(tmp_path / "cache") as shared:
        with chat_server(dying) as server:
            one_by_one = writer_for(endpoint(server).model_copy(update={"concurrency": 1}), MACHINE, 0, 300)
            with pytest.raises(ServiceError, match="answers 401"):
                revise(PLAIN, one_by_one, ANSWERS, shared.cache, shared.progress)
        with chat_server(helpful) as server:
            revise(PLAIN, writer_for(endpoint(server), MACHINE, 0, 300), ANSWERS, shared.cache, shared.progress)
            assert len(server.asked) == 2 * 5 + 1 - 3


def test_a_constitution_without_the_prompts_is_refused(tmp_path: Path) -> None:
    bare = PLAIN.model_copy(update={"critique": None})
    with chat_server(helpful) as server, bench(tmp_path) as shared:
        writer = writer_for(endpoint(server), MACHINE, 0, 300)
        with pytest.raises(SettingsError, match="plain has no `critique` and `revise`"):
            revise(bare, writer, ANSWERS, shared.cache, shared.progress)


def test_a_reward_model_writes_nothing() -> None:
    with pytest.raises(SettingsError, match="is a reward_model and writes no texts"):
        writer_for(RewardModelConfig(kind="reward_model", name="rm", model="x"), MACHINE, 0, 300)


def test_only_the_first_answers_to_training_prompts_are_taken(tmp_path: Path) -> None:
    prompts = [prompt for prompt, _ in ANSWERS]
    held_out = prompts[4].model_copy(update={"split": "test"})
    (tmp_path / "data").mkdir()
    (tmp_path / "sample").mkdir()
    write_rows(tmp_path / "data" / "prompts.jsonl", [*prompts[:4], held_out])
    second = [answer.model_copy(update={"index": 1, "text": "another"}) for _, answer in ANSWERS]
    empty = ANSWERS[0][1].model_copy(update={"text": " "})
    responses = [empty, *(answer for _, answer in ANSWERS[1:]), *second]
    write_rows(tmp_path / "sample" / "responses.jsonl", responses)
    found = first_answers(tmp_path, 0)
    assert [(prompt.id, answer.text) for prompt, answer in found] == [
        ("p1", "answer 1"), ("p2", "answer 2"), ("p3", "answer 3"), ("p0", "another"),
    ]  # fmt: skip
    assert len(first_answers(tmp_path, 2)) == 2
    write_rows(tmp_path / "sample" / "responses.jsonl", [ANSWERS[4][1]])
    with pytest.raises(DataError, match="holds no answer to a training prompt"):
        first_answers(tmp_path, 0)
    assert read_rows(tmp_path / "data" / "prompts.jsonl", Prompt)[4].split == "test"
