"""`stemma label import | export`, in a project of its own."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stemma.cli.main import main
from stemma.labelling.store.store import open_store
from stemma.records.json_file import read_json
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Comparison, Message, Prompt, Reject, Verdict
from tests.family import FamilyProject, Made
from tests.labelling import person, say
from tests.unit.labelling.formats.samples import SAMPLES

ROOT = Path(__file__).resolve().parents[4]
pytestmark = pytest.mark.usefixtures("project")
TASKS = SAMPLES["label-studio"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".dvc").mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "inputs" / "guidelines", tmp_path / "inputs" / "guidelines")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STEMMA_LABEL_STORE", raising=False)
    return tmp_path


def write(name: str, rows: list[Any]) -> None:
    path = Path(name)
    path.write_text(json.dumps(rows) if name.endswith(".json") else "".join(json.dumps(row) + "\n" for row in rows))


def test_labels_of_several_people_are_taken_with_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    write("tasks.json", TASKS)
    assert main(["label", "import", "tasks.json", "--out", "labels"]) == 0
    assert "2 of 2 rows were taken." in capsys.readouterr().out
    assert {path.name for path in Path("labels").iterdir()} == {
        "verdicts.jsonl", "comparisons.jsonl", "labelled.jsonl", "rejects.jsonl", "report.json",
    }  # fmt: skip
    first, skipped, judged, ranked = read_rows(Path("labels/verdicts.jsonl"), Verdict)
    assert (first.annotator, first.first, first.second, first.choice) == ("10", "one", "two", "first")
    assert first.origin is not None
    assert (first.origin["lead_time"], first.origin["ground_truth"], first.origin["id"]) == (4.2, True, 11)
    assert (skipped.annotator, skipped.choice) == ("ben@x.org", "skip")
    assert (judged.judge, judged.choice) == ("judge-1", "second")
    assert (ranked.first, ranked.second, ranked.choice) == ("one", "two", "second")
    comparisons = read_rows(Path("labels/comparisons.jsonl"), Comparison)
    assert [(row.chosen, row.annotator, row.judge) for row in comparisons] == [
        ("one", "10", None),
        ("two", None, "judge-1"),
        ("two", "10", None),
    ]
    assert read_json(Path("labels/report.json"))["annotators"] == {"10": 2, "ben@x.org": 1}


def test_a_bad_row_goes_to_the_rejects_and_too_many_stop(capsys: pytest.CaptureFixture[str]) -> None:
    good = [{"prompt": f"q {number}", "chosen": "a", "rejected": "b"} for number in range(30)]
    write("rows.jsonl", [*good, {"prompt": "q", "chosen": "", "rejected": "b"}])
    assert main(["label", "import", "rows.jsonl", "--out", "labels"]) == 0
    assert "rejected: 1 × is empty" in capsys.readouterr().out
    assert read_rows(Path("labels/rejects.jsonl"), Reject) == [
        Reject(file="rows.jsonl", line=31, field="chosen", reason="is empty")
    ]
    write("worse.jsonl", [*good[:5], {"prompt": "q", "chosen": "", "rejected": "b"}])
    assert main(["label", "import", "worse.jsonl", "--out", "others"]) == 2
    assert "1 × chosen is empty (first: worse.jsonl:6)" in capsys.readouterr().err
    assert not Path("others").exists()
    assert main(["label", "import", "rows.jsonl", "--out", "labels"]) == 2
    assert "is not empty, and nothing in it is overwritten" in capsys.readouterr().err


def test_import_export_import_gives_the_same_folder(project: Path) -> None:
    write("rows.json", TASKS)
    main(["label", "import", "rows.json", "--out", "one"])
    assert main(["label", "export", "one", "--format", "label-studio", "--strict", "--out", "back.json"]) == 0
    main(["label", "import", "back.json", "--out", "two"])
    for name in ("verdicts.jsonl", "comparisons.jsonl", "labelled.jsonl"):
        assert (project / "one" / name).read_bytes() == (project / "two" / name).read_bytes()


def test_what_a_format_cannot_hold_is_told_and_refused_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    write("tasks.json", TASKS)
    main(["label", "import", "tasks.json", "--out", "labels"])
    capsys.readouterr()
    export = ["label", "export", "labels", "--format", "hh-rlhf", "--out", "hh.jsonl"]
    assert main([*export, "--strict"]) == 2
    assert "1 × skip verdict" in capsys.readouterr().err
    assert not Path("hh.jsonl").exists()
    assert main(export) == 0
    told = capsys.readouterr().out
    assert "hh.jsonl holds 3 rows of the format hh-rlhf." in told
    assert "2 × annotator" in told
    assert "1 × judge" in told
    assert json.loads(Path("hh.jsonl").read_text().splitlines()[0]) == {
        "chosen": "\n\nHuman: q\n\nAssistant: one",
        "rejected": "\n\nHuman: q\n\nAssistant: two",
    }
    assert main([*export[:-1], "hh.json"]) == 2
    assert "a file of the format hh-rlhf has a name that ends in .jsonl" in capsys.readouterr().err
    assert main([*export[:4], "hh", "--out", "hh.jsonl"]) == 2
    assert "there is no format 'hh'; there are: text, prompt," in capsys.readouterr().err


def test_a_format_is_named_where_the_fields_do_not_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    write("rows.jsonl", [{"prompt": "q", "chosen": "a", "rejected": "b", "id": 7}])
    assert main(["label", "import", "rows.jsonl", "--out", "labels"]) == 2
    assert "`stemma label import` takes --format" in capsys.readouterr().err
    assert main(["label", "import", "rows.jsonl", "--format", "prompt+chosen+rejected", "--out", "labels"]) == 0
    main(["label", "export", "labels", "--format", "prompt+chosen+rejected", "--strict", "--out", "back.jsonl"])
    assert json.loads(Path("back.jsonl").read_text())["id"] == 7


def test_configured_words_of_label_studio_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    task = json.loads(json.dumps(TASKS[0]).replace('"left"', '"A is better"').replace('"right"', '"B is better"'))
    write("tasks.json", [task])
    assert main(["label", "import", "tasks.json", "--out", "labels"]) == 2
    assert "is neither left nor right" in capsys.readouterr().err
    named = ["--selected", "A is better", "B is better"]
    assert main(["label", "import", "tasks.json", *named, "--out", "labels"]) == 0
    verdicts = read_rows(Path("labels/verdicts.jsonl"), Verdict)
    assert [verdict.choice for verdict in verdicts] == ["first", "skip", "second"]


def test_a_stage_artifact_is_exported_with_ties_from_the_prompts_beside_it() -> None:
    hi = (Message(role="user", content="hi"),)
    label, data = Path("artifacts/label"), Path("artifacts/data")
    for folder in (label, data):
        folder.mkdir(parents=True)
    about = {"prompt_id": "p", "first": "a", "second": "b"}
    verdicts = [
        Verdict(**about, annotator="ada", choice="tie", note="alike"),
        Verdict(**about | {"first": "b", "second": "a"}, annotator="ben", choice="first", strength=2),
        Verdict(**about, judge="j", choice="second", probability=0.2),
    ]
    write_rows(label / "verdicts.jsonl", verdicts)
    write_rows(data / "prompts.jsonl", [Prompt(id="p", messages=hi, split="train")])
    assert main(["label", "export", "artifacts/label", "--format", "argilla", "--out", "records.json"]) == 0
    (record,) = json.loads(Path("records.json").read_text())
    assert (record["prompt"], record["response1"], record["response2"]) == ("hi", "a", "b")
    assert record["preference.responses.users"] == ["ada", "ben"]
    assert record["preference.responses"][1] == ["response2", "response1"]
    assert [item["rank"] for item in record["preference.responses"][0]] == [1, 1]
    assert record["preference.suggestion.agent"] == "j"


def test_the_labels_of_a_run_on_record_are_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    family = FamilyProject(tmp_path / "family")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, family.path / name)
    prompt = Prompt(id="p", messages=(Message(role="user", content="hi"),), split="train")
    verdict = Verdict(prompt_id="p", first="a", second="b", annotator="ada", choice="second")
    data = family.artifact("data", {"prompts.jsonl": prompt.model_dump_json(exclude_none=True).encode()})
    label = family.artifact("label", {"verdicts.jsonl": verdict.model_dump_json(exclude_none=True).encode()})
    reward = family.artifact("reward", {"model.safetensors": b"r"})
    made = [Made("data", data, 1, {}), Made("label", label, 1, {"artifacts/data": data})]
    family.run("calm", [*made, Made("reward", reward, 1, {"artifacts/label": label})])
    monkeypatch.chdir(family.path)
    for number, name in enumerate(["calm", label]):
        out = ["--format", "alpaca-pairs", "--out", f"{number}.jsonl"]
        assert main(["label", "export", name, *out]) == 0
        row = json.loads(Path(f"{number}.jsonl").read_text())
        assert (row["instruction"], row["chosen"], row["rejected"]) == ("hi", "b", "a")
    assert not Path("labels.db").exists()
    capsys.readouterr()
    assert main(["label", "export", "nothing", *out]) == 2
    assert "the nearest runs are: calm" in capsys.readouterr().err


def test_a_batch_is_made_of_a_file_and_its_verdicts_are_exported(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("rows.jsonl", [{"prompt": f"q {number}", "chosen": "good", "rejected": "bad"} for number in range(2)])
    make = ["label", "import", "rows.jsonl", "--batch", "first", "--overlap", "1"]
    assert main(make) == 0
    assert main(make) == 0
    assert "Batch first waits with 2 items" in capsys.readouterr().out
    export = ["label", "export", "first", "--format", "prompt+chosen+rejected", "--out", "back.jsonl"]
    assert main(export) == 2
    assert "batch first has no verdicts yet" in capsys.readouterr().err
    label_all("first", project)
    assert main(export) == 0
    rows = [json.loads(line) for line in Path("back.jsonl").read_text().splitlines()]
    assert {row["prompt"][0]["content"] for row in rows} == {"q 0", "q 1"}
    assert {row["chosen"][0]["content"] for row in rows} == {"good"}


def label_all(batch: str, project: Path) -> None:
    store = open_store(f"sqlite:///{project / 'labels.db'}")
    ada = person(store, "ada")
    while shown := store.desk.next_item(ada, batch):
        say(store, ada, "first" if shown.answers[0] == "good" else "second", batch)
    store.close_connections()
