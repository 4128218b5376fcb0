from pathlib import Path

from stemma.evaluation.intervals import Interval
from stemma.evaluation.report import Report, flat_metrics, markdown, rows_of, write_report
from stemma.records.answer_examples import AnswerExamples
from tests.answers import ANSWERS

SFT = {"gold/accuracy": Interval(0.5, 0.25, 0.75, 8)}
TUNED = {"gold/win_rate": Interval(0.75, 0.5, 1.0, 8), "gold/accuracy": Interval(0.625, 0.375, 0.875, 8)}
REPORT = Report(
    tuned="ppo",
    judge="gold",
    split="test",
    prompts=8,
    samples=4,
    rows=(
        *rows_of("sampled", "tuned", TUNED),
        *rows_of("sampled", "sft", SFT),
        *rows_of("greedy", "sft", SFT),
        *rows_of("sampled", "tuned", {"objective/kl": Interval(1.5, 1.0, 2.0, 8)}),
    ),
)


def test_names_say_whose_answers_and_how_they_were_drawn() -> None:
    assert flat_metrics(REPORT) == {
        "gold/win_rate": 0.75,
        "gold/win_rate_low": 0.5,
        "gold/win_rate_high": 1.0,
        "gold/accuracy": 0.625,
        "sft/gold/accuracy": 0.5,
        "sft/greedy/gold/accuracy": 0.5,
        "objective/kl": 1.5,
        "objective/kl_low": 1.0,
        "objective/kl_high": 2.0,
    }


def test_the_table_holds_both_policies_with_their_intervals() -> None:
    lines = markdown(REPORT, ANSWERS).splitlines()
    assert lines[0] == "# PPO against SFT"
    assert "8 prompts of split `test`, scored by the gold rule." in lines[2]
    assert "| sampled | SFT | PPO |" in lines
    assert "| gold/win_rate |  | 0.750 [0.500, 1.000] |" in lines
    assert "| gold/accuracy | 0.500 [0.250, 0.750] | 0.625 [0.375, 0.875] |" in lines
    assert "| gold/accuracy | 0.500 [0.250, 0.750] |  |" in lines  # greedy answers of SFT alone
    assert lines[-1].startswith("| what is the trade of tusdul ? | hunter  \\[wrong, -1.00\\] | i do not know ")


def test_the_files_hold_the_whole_report_and_are_the_same_each_time(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        write_report(folder, REPORT, ANSWERS)
    written = [{file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders]
    assert written[0] == written[1]
    assert set(written[0]) == {"report.json", "report.md", "answers.json"}
    assert Report.model_validate_json(written[0]["report.json"]) == REPORT
    assert AnswerExamples.model_validate_json(written[0]["answers.json"]) == ANSWERS
