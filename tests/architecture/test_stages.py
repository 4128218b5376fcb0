"""dvc.yaml, params.yaml, the task modules and the flows describe the same stages."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows import dpo, rlhf
from flows.settings import DpoSettings, ProjectSettings, RetrainSettings, RlhfSettings
from stemma.config import parse_settings, read_yaml
from stemma.lineage.closure import import_closure
from stemma.stage.definition import StageDefinition, read_definitions

ROOT = Path(__file__).resolve().parents[2]
STAGES = read_definitions(ROOT)
RAW_INPUTS = {
    "ai_label": ("inputs/constitutions",),
    "data": ("inputs/data",),
    "sft": ("inputs/round/policy/from-demonstrations",),
    "label": ("inputs/labels", "inputs/round/labels/from-none"),
    "reward": ("inputs/round/reward/from-sft",),
}


def module_of(stage: StageDefinition) -> str:
    return stage.cmd.split()[2]


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_code_dependencies_equal_the_import_closure(stage: StageDefinition) -> None:
    expected = {*import_closure(ROOT, module_of(stage)), Path("requirements.txt")}
    expected |= {Path(folder) for folder in RAW_INPUTS.get(stage.name, ())}
    missing, extra = sorted(expected - set(stage.code)), sorted(set(stage.code) - expected)
    assert not missing, f"{stage.name} would go stale: run `make deps`, or add {[str(path) for path in missing]}"
    assert not extra, f"{stage.name} would run for nothing: run `make deps`, or remove {[str(path) for path in extra]}"


def test_every_task_module_is_a_stage_and_every_stage_has_one() -> None:
    modules = {path.stem for path in (ROOT / "tasks").glob("*.py")} - {"__init__"}
    assert {module_of(stage).removeprefix("tasks.") for stage in STAGES.values()} == modules


def test_params_hold_every_setting_of_every_section() -> None:
    params = read_yaml(ROOT / "params.yaml")
    assert params.pop("flows") == {"rlhf": ["rlhf"], "dpo": []}
    settings = parse_settings(ProjectSettings, params, "params.yaml").model_dump(mode="json")
    assert {key: set(value) for key, value in params.items() if isinstance(value, dict)} == {
        key: set(value) for key, value in settings.items() if isinstance(value, dict)
    }
    sections = {module_of(stage).removeprefix("tasks.") for stage in STAGES.values()}
    assert set(params) == sections | {
        "seed",
        "machine",
        "registry",
        "promotion",
        "human",
        "budget",
        "resources",
        "round",
    }


def test_each_stage_depends_on_its_own_section_and_the_seed() -> None:
    for stage in STAGES.values():
        assert {"seed", module_of(stage).removeprefix("tasks.")} <= set(stage.params)


def test_the_flows_name_stages_in_an_order_that_makes_inputs_first() -> None:
    for order in (rlhf.STAGES, dpo.STAGES):
        for place, name in enumerate(order):
            assert set(STAGES[name].inputs) <= set(order[:place])


@pytest.mark.parametrize("module", ["stemma.records.types", "stemma.config", "stemma.lineage.runs", "flows.settings"])
def test_a_bad_setting_costs_no_import_of_torch(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'mlflow', 'transformers', 'trl') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_setting_has_a_sentence_in_the_form() -> None:
    for settings in (RlhfSettings, DpoSettings, RetrainSettings):
        for name, model in settings.model_json_schema()["$defs"].items():
            silent = [field for field, schema in model["properties"].items() if not schema.get("description")]
            assert not silent, f"{name}: {silent}"
