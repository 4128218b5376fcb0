"""`stemma judge` as a person types it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stemma.cli.main import main
from stemma.records.jsonl import write_rows
from stemma.records.types import Comparison, Prompt, Response, Verdict
from tests.chat_server import Answered, Body, chat_server, completion
from tests.tiny import conversation

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with people's labels on 40 pairs, of which the longer answer is always the better one."""
    for name in ("params.yaml", "dvc.yaml", ".dvc/config", "inputs/constitutions/helpful-honest-harmless.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "artifacts" / "label").mkdir(parents=True)
    rows = [
        Comparison(
            prompt_id=f"p{n}", prompt=conversation(f"q {n}"), chosen="a long one", rejected="short", split="train"
        )
        for n in range(40)
    ]
    write_rows(tmp_path / "artifacts" / "label" / "comparisons.jsonl", rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def judge(url: str) -> tuple[str, ...]:
    told = {"kind": "endpoint", "name": "toy", "base_url": url, "model": "toy"}
    return ("--set", f"ai_label.judges={json.dumps([told])}")


def likes_long(body: Body, _: int) -> Answered:
    answers = body["messages"][-1]["content"].split("--- answer ")
    return completion("1" if "long" in answers[1] else "2")


def test_a_judge_of_the_settings_is_asked_about_peoples_pairs(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with chat_server(likes_long) as server:
        assert main(["judge", "check", "artifacts/label", "--json", *judge(server.url)]) == 0
        (told,) = json.loads(capsys.readouterr().out)["judges"]
        assert told["agreement"]["estimate"] == 1
        assert told["kappa"]["estimate"] == 1
        assert told["judge_longer"]["estimate"] == told["people_longer"]["estimate"] == 1
        assert len(server.asked) == 80
        main(["judge", "check", "artifacts/label", *judge(server.url)])
        assert len(server.asked) == 80
    assert not (project / "artifacts" / "ai_label").exists()


def test_a_judge_under_the_bar_ends_with_one_and_is_drawn(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with chat_server(lambda *_: completion("1")) as server:
        files = ("--plot", "plot.png", "--html", "page.html")
        assert main(["judge", "check", "artifacts/label", *files, *judge(server.url)]) == 1
    printed = capsys.readouterr().out
    assert "agreement with people           0.500" in printed
    assert "UNDER THE BAR of 0.6" in printed
    assert "verdict changes with the order  1.000" in printed
    assert "prefers what is shown first     1.000" in printed
    assert (project / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "UNDER THE BAR" in (project / "page.html").read_text()


def test_verdicts_on_record_are_compared_without_asking(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        Verdict(prompt_id=f"p{n}", judge="past", first="short", second="a long one", choice="first", probability=0.9)
        for n in range(10)
    ]
    (project / "artifacts" / "ai_label").mkdir()
    write_rows(project / "artifacts" / "ai_label" / "verdicts.jsonl", rows)
    assert main(["judge", "check", "artifacts/label", "--json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)["judges"]
    assert (told["judge"], told["pairs"], told["agreement"]["estimate"]) == ("past", 10, 0)


def test_what_is_missing_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "check", "artifacts/label"]) == 2
    assert "ai_label.judges names no judge to ask; name one" in capsys.readouterr().err
    assert main(["judge", "check", "nothing"]) == 2
    assert "no run is named 'nothing'" in capsys.readouterr().err
    write_rows(project / "artifacts" / "label" / "comparisons.jsonl", [])
    assert main(["judge", "check", "artifacts/label"]) == 2
    assert "holds no labels of people; name some that do with --people" in capsys.readouterr().err
    assert main(["judge", "revise", "out.jsonl"]) == 2
    assert "name one judge of ai_label.judges with --judge NAME; there are: none" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [("--most", "-3"), ("--max-tokens", "0")])
def test_numbers_that_will_not_do_are_refused(
    project: Path, capsys: pytest.CaptureFixture[str], wrong: tuple[str, str]
) -> None:
    assert main(["judge", "revise", str(project / "revised.jsonl"), *wrong]) == 2
    assert "--most takes 0 or more, and --max-tokens 1 or more" in capsys.readouterr().err


def test_revise_writes_demonstrations(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("data", "sample"):
        (project / "artifacts" / name).mkdir()
    prompts = [Prompt(id=f"p{n}", messages=conversation(f"q {n}"), split="train") for n in range(3)]
    write_rows(project / "artifacts" / "data" / "prompts.jsonl", prompts)
    answers = [Response(prompt_id=row.id, index=0, text="meh", finished=True) for row in prompts]
    write_rows(project / "artifacts" / "sample" / "responses.jsonl", answers)
    with chat_server(lambda body, _: completion("fine" if "critique" in str(body) else "weak")) as server:
        assert main(["judge", "revise", "better.jsonl", "--most", "2", *judge(server.url)]) == 0
    assert "2 of 2 answers revised in better.jsonl" in capsys.readouterr().out
    assert len((project / "better.jsonl").read_text().splitlines()) == 2
    report = json.loads((project / "better.report.json").read_text())
    assert report["constitution"]["name"] == "helpful-honest-harmless"
    assert YAML(typ="safe").load((project / "params.yaml").read_text())["ai_label"]["judges"] == []
