import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stemma.models.chat import encode_prompts
from stemma.models.hub import content_digest
from stemma.models.tokenizer import load_tokenizer, save_tokenizer
from stemma.records.json_file import read_json, write_json
from stemma.records.jsonl import read_rows
from stemma.records.types import Comparison, Demonstration, Document, Prompt, Reject
from stemma.stage.door import run_stage
from stemma.stage.manifest import verify_manifest
from tasks.data import DataConfig, prepare_data
from tests.tiny import tiny_artifact

Project = Callable[..., Path]
WORLD = {
    "known_names": 8,
    "unknown_names": 6,
    "validation_prompts": 15,
    "test_prompts": 30,
    "corpus_documents": 300,
    "demonstrations": 40,
    "train_prompts": 40,
}
DATA = Path("artifacts/data")
ROLES = ("user", "assistant")


def run() -> None:
    run_stage("data", DataConfig, prepare_data)


def fails(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit, match="2"):
        run()
    assert not DATA.exists()
    return capsys.readouterr().err


def transcript(*sayings: str) -> str:
    return "".join(f"\n\n{('Human', 'Assistant')[turn % 2]}: {said}" for turn, said in enumerate(sayings))


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_without_files_the_default_world_is_made_through_the_real_door(project: Project) -> None:
    folder = project(data={"world": WORLD})
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-X", "importtime", "-m", "tasks.data"]
    done = subprocess.run(command, cwd=folder, env=paths, check=True, capture_output=True, text=True)
    assert "| torch" not in done.stderr  # making data needs no torch
    verify_manifest(folder / DATA)
    report = read_json(folder / DATA / "report.json")
    assert report["gold"] is True
    assert report["prompts"] == {"test": 30, "train": 40, "validation": 15}
    assert (folder / DATA / "rejects.jsonl").read_bytes() == b""
    assert len(read_rows(folder / DATA / "corpus.jsonl", Document)) == 300
    assert len(read_rows(folder / DATA / "demonstrations.jsonl", Demonstration)) == 40
    assert len(read_rows(folder / DATA / "probe.jsonl", Demonstration)) == 24
    assert read_rows(folder / DATA / "comparisons.jsonl", Comparison) == []


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(project: Project) -> None:
    made = []
    for seed in (0, 0, 1):
        project(data={"world": WORLD}, seed=seed)
        run()
        made.append(contents(DATA))
    assert made[0] == made[1]
    assert made[0]["prompts.jsonl"] != made[2]["prompts.jsonl"]


def test_hh_transcripts_become_rows_of_every_kind(project: Project) -> None:
    folder = project(data={"files": ["inputs/data/hh.jsonl.gz"], "max_rejected_share": 0.5})
    rows = [{"chosen": transcript(f"q {n}", "yes"), "rejected": transcript(f"q {n}", "no")} for n in range(60)]
    rows.insert(1, {"chosen": transcript("q", "a", "r", "b"), "rejected": transcript("q", "a", "R", "b")})
    rows.insert(2, {"chosen": transcript("q", "a"), "rejected": transcript("q", "")})
    (folder / "inputs" / "data" / "hh.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    run()
    report = read_json(DATA / "report.json")
    assert report["gold"] is False
    assert report["files"] == {"hh.jsonl.gz": {"rows": 62, "rejected": 2, "taken": {"hh-rlhf": 60}}}
    assert report["rejected"] == {"has an empty answer": 1, "has another prompt than chosen": 1}
    assert read_rows(DATA / "rejects.jsonl", Reject) == [
        Reject(
            file="hh.jsonl.gz",
            line=2,
            field="rejected",
            reason="has another prompt than chosen: they part at turn 3",
        ),
        Reject(file="hh.jsonl.gz", line=3, field="rejected", reason="has an empty answer: turn 2"),
    ]
    assert sum(report["comparisons"].values()) == 60
    assert set(report["comparisons"]) == {"train", "judge", "validation", "test"}
    assert report["demonstrations"] == report["corpus"] == report["comparisons"]["train"]
    assert len(read_rows(DATA / "prompts.jsonl", Prompt)) == 60


def test_labels_of_other_tools_become_comparisons_with_all_that_is_known(project: Project) -> None:
    folder = project(data={"files": ["inputs/data/tasks.json", "inputs/data/worker.jsonl"]})
    chosen = {"type": "pairwise", "value": {"selected": "right"}}
    tasks = [
        {
            "id": number,
            "data": {"prompt": f"q {number}", "answer1": "good", "answer2": "better"},
            "annotations": [{"completed_by": 7, "lead_time": 2.5, "result": [chosen]}] if number else [],
        }
        for number in range(20)
    ]
    (folder / "inputs" / "data" / "tasks.json").write_text(json.dumps(tasks))
    answers = [{"text": "short", "policy": "sup4"}, {"text": "long", "policy": "ref"}]
    judged = {"info": {"post": "a post"}, "summaries": answers, "choice": 0, "worker": "w", "batch": "b"}
    write_lines(folder / "inputs" / "data" / "worker.jsonl", [judged])
    run()
    report = read_json(DATA / "report.json")
    assert report["files"] == {
        "tasks.json": {"rows": 20, "rejected": 0, "taken": {"label-studio": 20}, "unanswered": 1},
        "worker.jsonl": {"rows": 1, "rejected": 0, "taken": {"summarize-comparisons": 1}},
    }
    *tasked, worked = read_rows(DATA / "comparisons.jsonl", Comparison)
    assert {(row.chosen, row.rejected, row.annotator) for row in tasked} == {("better", "good", "7")}
    assert tasked[0].origin == {"lead_time": 2.5, "row": {"task": {"id": 1}}}
    assert worked.annotator == "w"
    assert worked.origin == {"batch": "b", "chosen": {"policy": "sup4"}, "rejected": {"policy": "ref"}}


def test_files_of_several_forms_are_taken_together(project: Project) -> None:
    folder = project(data={"files": ["inputs/data/texts.json", "inputs/data/sub/rest.jsonl"]})
    (folder / "inputs" / "data" / "texts.json").write_text('[{"text": "one"},\n{"text": "two"}]')
    (folder / "inputs" / "data" / "sub").mkdir()
    mixed = [{"prompt": f"p {n}"} for n in range(20)] + [{"prompt": f"q {n}", "completion": "a"} for n in range(20)]
    write_lines(folder / "inputs" / "data" / "sub" / "rest.jsonl", mixed)
    run()
    report = read_json(DATA / "report.json")
    assert report["files"] == {
        "texts.json": {"rows": 2, "rejected": 0, "taken": {"text": 2}},
        "sub/rest.jsonl": {"rows": 40, "rejected": 0, "taken": {"prompt": 20, "prompt+completion": 20}},
    }
    assert sum(report["prompts"].values()) == 40
    assert report["comparisons"] == {}
    assert report["corpus"] == 2 + report["demonstrations"]


def test_ignored_fields_are_left_out(project: Project) -> None:
    folder = project(data={"files": ["inputs/data/rows.jsonl"], "ignored_fields": ["id"]})
    write_lines(folder / "inputs" / "data" / "rows.jsonl", [{"text": "one", "id": 1}])
    run()
    assert read_json(DATA / "report.json")["corpus"] == 1


def test_no_usable_row_stops_the_run(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project(data={"files": ["inputs/data/rows.jsonl"], "max_rejected_share": 1.0})
    write_lines(folder / "inputs" / "data" / "rows.jsonl", [{"instruction": "a", "result": "b"}])
    told = fails(capsys)
    assert told.startswith("data: the only row could not be taken:\n  1 × (fields) are of no known form: instruction")
    assert "(first: rows.jsonl:1)" in told


def test_too_many_rejects_stop_the_run_and_the_list_of_them_is_kept(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(data={"files": ["inputs/data/rows.jsonl"]})
    write_lines(folder / "inputs" / "data" / "rows.jsonl", [{"text": "a"}, {"text": ""}])
    told = fails(capsys)
    assert "1 of 2 rows (50.0%) were rejected, more than data.max_rejected_share 0.05" in told
    kept = Path(told.strip().rpartition("All rejected rows: ")[2])
    assert read_rows(kept, Reject) == [Reject(file="rows.jsonl", line=2, field="text", reason="is empty")]


UNKNOWN = {"text": ""}


@pytest.mark.parametrize(
    ("settings", "rows", "why"),
    [
        ({"test_share": 0.6}, [{"prompt": "question 4"}, UNKNOWN], "of 1 prompt none falls into the train split"),
        ({}, [*({"prompt": f"q {n}"} for n in range(30)), UNKNOWN], "there is nothing to pre-train on"),
    ],
)
def test_whatever_refuses_the_run_the_list_of_rejected_rows_is_kept(
    settings: dict[str, Any], rows: list[dict[str, Any]], why: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(data={"files": ["inputs/data/rows.jsonl"], "max_rejected_share": 1.0, **settings})
    write_lines(folder / "inputs" / "data" / "rows.jsonl", rows)
    told = fails(capsys)
    assert why in told
    kept = Path(told.strip().rpartition("All rejected rows: ")[2])
    assert read_rows(kept, Reject) == [Reject(file="rows.jsonl", line=len(rows), field="text", reason="is empty")]


def rows_of(asked: dict[int, str]) -> list[dict[str, Any]]:
    """Sixty pairs about numbers, some of them with another question."""
    return [{"prompt": asked.get(n, f"q {n}"), "chosen": "yes", "rejected": "no"} for n in range(60)]


def test_rows_longer_than_the_base_from_scratch_can_hold_are_rejected_in_every_split(project: Project) -> None:
    data = {"files": ["inputs/data/rows.jsonl"], "answer_tokens": 8, "max_rejected_share": 1.0}
    folder = project(data=data, base={"vocab_size": 300})
    long = {n: " ".join(f"{n}x{word}" for word in range(60)) for n in range(20)}
    tight = {20: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234"}
    write_lines(folder / "inputs" / "data" / "rows.jsonl", rows_of(long | tight))
    run()
    rejects = read_rows(DATA / "rejects.jsonl", Reject)
    assert [(reject.file, reject.line) for reject in rejects] == [("rows.jsonl", n + 1) for n in range(21)]
    assert re.fullmatch(r"does not fit base.context 64 with its prompt: \d+ tokens", rejects[0].reason)
    assert re.fullmatch(
        r"leaves no room for an answer of data.answer_tokens 8 in base.context 64: \d+ tokens", rejects[20].reason
    )
    report = read_json(DATA / "report.json")
    assert sum(report["comparisons"].values()) == 39
    assert report["tokens"]["limit"] == "base.context 64"
    tokenizer = load_tokenizer(DATA / "tokenizer")
    for row in read_rows(DATA / "comparisons.jsonl", Comparison):
        assert len(encode_prompts(tokenizer, [row.prompt])[0]) + 8 <= 64


def test_too_many_rows_that_are_too_long_stop_the_run_with_the_setting_that_helps(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(data={"files": ["inputs/data/rows.jsonl"], "max_tokens": 32})
    write_lines(folder / "inputs" / "data" / "rows.jsonl", rows_of({n: "long " * 5 + str(n) * 9 for n in range(30)}))
    told = fails(capsys)
    assert "leaves no room for an answer of data.answer_tokens 24 in data.max_tokens 32: " in told
    assert re.search(
        r"for rows that are too long \(up to \d+ tokens\) raise data.max_tokens, or set data.too_long to drop_turns",
        told,
    )


def test_conversations_that_are_too_long_lose_their_oldest_turns_where_that_is_asked(project: Project) -> None:
    settings = {"files": ["inputs/data/rows.jsonl"], "too_long": "drop_turns", "max_rejected_share": 1.0}
    folder = project(data=settings)
    turns = [("old " * 20, "older " * 20), ("new", "newer")]
    said = [{"role": role, "content": text} for turn in turns for role, text in zip(ROLES, turn, strict=True)]
    rows = [
        {"messages": [*said, {"role": "user", "content": f"q {n}"}, {"role": "assistant", "content": "a"}]}
        for n in range(40)
    ]
    write_lines(folder / "inputs" / "data" / "rows.jsonl", rows)
    run()
    assert read_rows(DATA / "rejects.jsonl", Reject) == []
    prompts = read_rows(DATA / "prompts.jsonl", Prompt)
    assert {tuple(message.content for message in prompt.messages[:-1]) for prompt in prompts} == {("new", "newer")}
    assert len({prompt.split for prompt in prompts}) == 1  # they began alike, and are kept together


def test_what_a_fetched_base_cannot_read_is_rejected(project: Project) -> None:
    folder = project()
    model = tiny_artifact(folder / "model")
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    tokenizer = load_tokenizer(model)
    tokenizer.chat_template = template + str(tokenizer.chat_template)
    save_tokenizer(tokenizer, model)
    base = {"source": "folder", "model": str(model), "revision": content_digest(model)}
    project(data={"files": ["inputs/data/rows.jsonl"], "max_rejected_share": 1.0}, base=base)
    system = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "where ?"}]
    refused: list[dict[str, Any]] = [{"prompt": system, "completion": "there"}, {"text": "a text that nobody reads"}]
    write_lines(folder / "inputs" / "data" / "rows.jsonl", [*rows_of({}), *refused])
    run()
    assert [(row.line, row.field, row.reason) for row in read_rows(DATA / "rejects.jsonl", Reject)] == [
        (61, "prompt", "is refused by the base model's chat template: System role not supported"),
        (62, "text", "is read by no stage, because base.source is folder: only a base from scratch learns texts"),
    ]
    assert not (DATA / "tokenizer").exists()


def test_a_base_that_cannot_be_loaded_stops_the_run_before_anything_trains(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project()
    model = tiny_artifact(folder / "model")
    config = read_json(model / "config.json")
    write_json(model / "config.json", config | {"quantization_config": {"quant_method": "gptq"}})
    base = {"source": "folder", "model": str(model), "revision": content_digest(model)}
    project(data={"files": ["inputs/data/rows.jsonl"]}, base=base)
    write_lines(folder / "inputs" / "data" / "rows.jsonl", rows_of({}))
    assert "model is quantised (gptq), and plain weights are needed: take the repository" in fails(capsys)


def test_prompts_alone_give_a_base_from_scratch_nothing_to_learn(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(data={"files": ["inputs/data/rows.jsonl"]})
    write_lines(folder / "inputs" / "data" / "rows.jsonl", [{"prompt": f"q {n}"} for n in range(20)])
    assert "there is nothing to pre-train on: add such rows to data.files, or set base.source to hub" in fails(capsys)


def test_prompts_that_are_all_held_out_stop_the_run(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project(data={"files": ["inputs/data/rows.jsonl"], "test_share": 0.6})
    write_lines(folder / "inputs" / "data" / "rows.jsonl", [{"prompt": "question 4"}])
    assert "of 1 prompt none falls into the train split" in fails(capsys)


def test_a_missing_file_stops_the_run(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project(data={"files": ["inputs/data/absent.jsonl"]})
    assert "inputs/data/absent.jsonl does not exist; put it there" in fails(capsys)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"files": ["../secret.jsonl"]}, "'../secret.jsonl' does not lie under inputs/data/; copy it there"),
        ({"files": ["inputs/data/../secret.jsonl"]}, "does not lie under inputs/data/"),
        ({"files": ["/data/rows.jsonl"]}, "does not lie under inputs/data/"),
        ({"files": ["inputs/data"]}, "does not lie under inputs/data/"),
        ({"files": [""]}, "does not lie under inputs/data/"),
        ({"files": ["inputs/data/a.jsonl", "inputs/data//a.jsonl"]}, "a file is named twice"),
        ({"judge_share": 0.5, "test_share": 0.5}, "leave nothing to train on; lower them"),
        ({"world": {"known_name": 5}}, "world.known_name: unknown key; did you mean known_names?"),
    ],
)
def test_faulty_settings_are_told(
    project: Project, capsys: pytest.CaptureFixture[str], settings: dict[str, Any], told: str
) -> None:
    project(data=settings)
    assert told in fails(capsys)
