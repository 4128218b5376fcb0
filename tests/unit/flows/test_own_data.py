"""Whether data suits the settings, before anything trains; and `stemma data check` on real records."""

from pathlib import Path
from typing import Any

import pytest

from flows.own_data import check_data_suits, check_own_data
from flows.settings import ProjectSettings, load_settings
from stemma.cli.main import main
from stemma.errors import DataError, SettingsError

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared" / "data"
CHINESE = ROOT / "tests" / "chinese_pairs.jsonl"
ENOUGH: dict[str, Any] = {
    "gold": False,
    "demonstrations": 90,
    "prompts": {"train": 90, "judge": 60, "validation": 10, "test": 10},
    "comparisons": {"train": 90, "judge": 60, "validation": 10, "test": 10},
}


def settings(*changes: str) -> ProjectSettings:
    return load_settings(ROOT, None, ["label.source=recorded", *changes])


def test_data_with_all_that_is_needed_suits() -> None:
    check_data_suits(settings(), ENOUGH)
    check_data_suits(settings("label.source=ai"), ENOUGH | {"comparisons": {}})
    check_data_suits(settings("label.source=simulated"), ENOUGH | {"gold": True, "comparisons": {}})


@pytest.mark.parametrize(
    ("changes", "report", "told"),
    [
        (
            (),
            {"comparisons": {}},
            "holds 90 answers to imitate but no pair of a chosen .* or set label.source to human",
        ),
        (
            (),
            {"comparisons": {"train": 90, "judge": 49}},
            "needs judge.fewest_pairs 50 pairs of the judge split, .* 49",
        ),
        (("label.source=simulated",), {}, "label.source is simulated, and only the default world says"),
        (("label.source=ai", "sample.held_out_prompts=20"), {}, "which gives 40: .* raise sample.held_out_prompts"),
        (("label.source=human", "sample.responses=0"), {}, "which gives 0: "),
        ((), {"demonstrations": 0}, "SFT needs answers to imitate, and the train split has none"),
        (("eval.split=validation",), {"prompts": {"test": 9}}, "2 prompts of the validation split, which holds 0"),
    ],
)
def test_what_a_later_stage_would_lack_is_said_first(changes: tuple[str, ...], report: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        check_data_suits(settings(*changes), ENOUGH | report)


def test_no_stage_samples_longer_answers_than_the_data_was_checked_for() -> None:
    with pytest.raises(SettingsError, match=r"data.answer_tokens \(24\) is less than ppo.max_new_tokens"):
        load_settings(ROOT, None, ["data.files=[rows.jsonl]", "ppo.max_new_tokens=25"])


def test_a_run_that_is_not_begun_is_refused_for_its_data() -> None:
    """What --dry-run calls before it plans."""
    own = load_settings(ROOT, "own-data", [])
    check_own_data(own, [CHINESE])
    with pytest.raises(DataError, match="no pair of a chosen and a rejected answer"):
        check_own_data(own, [SHARED / "alpaca-300.json"])
    with pytest.raises(DataError, match=r"81 of 120 rows \(67.5%\) were rejected"):
        check_own_data(own, [SHARED / "sharegpt-pairs-120.json"])
    with pytest.raises(DataError, match="holds 3000 answers to imitate but no pair"):
        check_own_data(settings(), [])


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `stemma data check` in the project; returns its exit status and its lines."""
    monkeypatch.chdir(ROOT)

    def run(*arguments: str) -> tuple[int, list[str]]:
        status = main(["data", "check", *arguments])
        return status, capsys.readouterr().out.splitlines()

    return run


def test_real_transcripts_are_taken_but_for_those_that_are_too_long(check: Any) -> None:
    file = SHARED / "hh-harmless-800.jsonl.gz"
    status, lines = check(str(file))
    assert status == 0
    assert lines[0] == f"{file}: rows 800, taken: 775 hh-rlhf, rejected: 25"
    assert lines[2] == f"  {file}:143  answer  does not fit base.context 640 with its prompt: 982 tokens"
    assert lines[26:28] == [
        "Tokens of a row: median 183, longest 1049; the limit is base.context 640.",
        "Answers to imitate: 447, with 1076 assistant turns.",
    ]


def test_real_pairs_of_which_most_are_too_long_are_refused_before_anything_trains(check: Any) -> None:
    status, lines = check(str(SHARED / "sharegpt-pairs-120.json"))
    assert status == 1
    assert "A run would be refused: 81 of 120 rows (67.5%) were rejected, more than data.max_rejected_share 0.2" in (
        "\n".join(lines)
    )


def test_real_answers_without_pairs_are_refused_before_anything_trains(check: Any) -> None:
    status, lines = check(str(SHARED / "alpaca-300.json"))
    assert status == 1
    assert lines[-3] == "A run would be refused: this data cannot be used with these settings:"
    assert "the data holds 186 answers to imitate but no pair of a chosen" in lines[-2]


def test_chinese_pairs_are_taken_without_a_further_setting(check: Any) -> None:
    assert check(str(CHINESE)) == (0, [
        f"{CHINESE}: rows 150, taken: 150 prompt+chosen+rejected, rejected: 0",
        "Tokens of a row: median 72, longest 87; the limit is base.context 640.",
        "Answers to imitate: 85, with 85 assistant turns.",
        "Prompts by split: judge 37, test 13, train 85, validation 15.",
        "Pairs by split: judge 37, test 13, train 85, validation 15.",
        "A run with these settings would take this data.",
    ])  # fmt: skip


def test_rows_whose_field_judges_the_answer_are_listed_with_their_place(check: Any, tmp_path: Path) -> None:
    file = tmp_path / "kto.jsonl"
    file.write_text('{"prompt": "a", "completion": "b", "label": false}\n' * 2)
    status, lines = check(str(file), "--set", "data.ignored_fields=[label]")
    assert status == 1
    assert lines[1].startswith(f"  {file}:1  label  may say how good an answer is, so the row is not taken without it:")
    assert lines[2].startswith(f"  {file}:2  label  ")


def test_rejected_rows_are_listed_whatever_else_refuses_the_run(check: Any, tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text('{"prompt": "question 4"}\n{"text": ""}\n')
    status, lines = check(str(file), "--set", "data.test_share=0.6")
    assert status == 1
    assert lines[1] == f"  {file}:2  text  is empty"
    assert lines[-1].startswith("A run would be refused: of 1 prompt none falls into the train split")


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    files = [tmp_path / folder / "rows.jsonl" for folder in ("pairs", "texts")]
    for file in files:
        file.parent.mkdir()
        file.write_text(f'{{"{file.parent.name}": ""}}\n')
    with pytest.raises(DataError, match=r"none of the 2 rows(.|\n)*first: pairs-rows.jsonl:1"):
        check_own_data(settings(), files)
