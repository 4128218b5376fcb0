import subprocess
import sys
from pathlib import Path

import pytest

from stemma.errors import DataError, TrainingError
from stemma.judging.kinds import read_kind
from stemma.judging.loading import load_judge
from stemma.records.json_file import read_json, write_json
from stemma.records.jsonl import write_rows
from stemma.sampling.generate import Sampled
from stemma.stage.door import Stage
from tasks.judge import JudgeConfig, make_judge
from tests.tiny import MACHINE, tiny_artifact, tiny_comparisons, tiny_prompts, tiny_stage

INPUTS = ("data", "base", "sft", "label")
CONFIG = JudgeConfig(epochs=2, learning_rate=3e-3, fewest_pairs=20)


def make_stage(root: Path, *, gold: bool, name: str = "judge") -> Stage:
    stage = tiny_stage(root, name, INPUTS)
    stage.inputs["data"].mkdir(exist_ok=True)
    write_json(stage.inputs["data"] / "report.json", {"gold": gold})
    return stage


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """A project with 24 pairs for the judge, 24 to measure it on, and 24 that it must not see."""
    artifacts = tmp_path / "artifacts"
    tiny_artifact(artifacts / "sft")
    (artifacts / "label").mkdir()
    pairs = [pair for split in ("train", "judge", "validation") for pair in tiny_comparisons(split)]
    write_rows(artifacts / "label" / "comparisons.jsonl", pairs)
    return tmp_path


def test_the_default_world_is_judged_by_its_gold_rule(tmp_path: Path) -> None:
    stage = make_stage(tmp_path, gold=True)
    make_judge(JudgeConfig(), stage)
    assert read_kind(stage.output) == "gold"
    assert [file.name for file in stage.output.iterdir()] == ["judge.json"]


def test_other_data_gets_a_reward_model_that_prefers_what_the_judge_pairs_prefer(own_data: Path) -> None:
    stage = make_stage(own_data, gold=False)
    make_judge(CONFIG, stage)
    assert read_kind(stage.output) == "reward_model"
    report = read_json(stage.output / "report.json")
    assert (report["pairs"], report["validation/pairs"], report["validation/accuracy"]) == (24, 24, 1.0)
    prompts = tiny_prompts("test")[:2]
    answers = [Sampled("i do not know .", finished=True), Sampled("bok lives in ruda .", finished=True)]
    preferred, other = load_judge(stage.output, MACHINE).score(prompts, answers)
    assert preferred > other


def test_the_same_pairs_give_the_same_bytes(own_data: Path) -> None:
    written = []
    for name in ("judge", "judge_again"):
        stage = make_stage(own_data, gold=False, name=name)
        make_judge(CONFIG, stage)
        written.append({file.name: file.read_bytes() for file in stage.output.iterdir()})
    assert written[0] == written[1]


def test_too_few_pairs_are_refused_with_the_remedy(own_data: Path) -> None:
    with pytest.raises(DataError, match=r"has 24 comparisons of split judge, .* needs 50: .*raise data.judge_share"):
        make_judge(JudgeConfig(), make_stage(own_data, gold=False))


def test_a_judge_no_better_than_a_coin_is_refused(own_data: Path) -> None:
    pairs = tiny_comparisons("validation")
    turned = [pair.model_copy(update={"chosen": pair.rejected, "rejected": pair.chosen}) for pair in pairs]
    write_rows(own_data / "artifacts" / "label" / "comparisons.jsonl", [*tiny_comparisons("judge"), *turned])
    with pytest.raises(TrainingError, match=r"the judge is no better than chance.*judge.must_beat_chance=false"):
        make_judge(CONFIG, make_stage(own_data, gold=False))


def test_a_judge_that_is_wrong_on_a_slice_is_refused_for_what_it_would_judge(own_data: Path) -> None:
    good = tiny_comparisons("validation")
    contrary = [row.model_copy(update={"chosen": row.rejected, "rejected": row.chosen, "kind": "new"}) for row in good]
    write_rows(
        own_data / "artifacts" / "label" / "comparisons.jsonl", [*tiny_comparisons("judge"), *good * 2, *contrary]
    )
    config = CONFIG.model_copy(update={"fewest_slice_pairs": 24})
    message = (
        r"slice new it is worse .* raise data.judge_share, .* Win rates by this judge would favour the worse answers"
    )
    with pytest.raises(TrainingError, match=message) as error:
        make_judge(config, make_stage(own_data, gold=False))
    assert "policy trained on it" not in str(error.value)


def test_the_gold_rule_costs_no_import_of_torch(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_json(tmp_path / "data" / "report.json", {"gold": True})
    code = (
        "import sys; from pathlib import Path; from tasks.judge import JudgeConfig, make_judge; "
        "from stemma.config import MachineConfig; from stemma.stage.door import Stage; "
        "from stemma.stage.progress import Progress; root = Path(sys.argv[1]); "
        "make_judge(JudgeConfig(), "
        "Stage('judge', 0, MachineConfig(), {'data': root / 'data'}, root, root, Progress('judge', root))); "
        "print([name for name in ('torch', 'transformers', 'numpy', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
