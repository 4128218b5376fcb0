"""The form of a flow asks for the sections of params.yaml; what it says lies over the profile and params.yaml."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from prefect.utilities.schema_tools.validation import is_valid, validate
from pydantic import ValidationError

from flows.dpo import dpo
from flows.form_settings import from_form, laid_over, old_form
from flows.promote import promote
from flows.retrain import retrain
from flows.rlaif import rlaif
from flows.rlhf import rlhf
from flows.service.deployed_values import PARAMS, version_of
from flows.service.fitting import settings_of
from flows.service.form import OPEN, TITLES, form_schema, form_values
from flows.settings import DpoSettings, ProjectSettings, RetrainSettings, RlhfSettings, load_settings, stage_values
from stemma.config import read_yaml, write_yaml
from stemma.errors import SettingsError
from stemma.world.settings import WorldConfig
from tasks.ppo import PpoConfig
from tasks.sft import SftConfig

ROOT = Path(__file__).resolve().parents[3]
FLOWS: list[Any] = [rlhf, rlaif, dpo, retrain]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose params.yaml has values of its own, and which has a profile."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    values = stage_values(ProjectSettings())
    values["dpo"] |= {"beta": 0.7, "epochs": 5}
    values["sft"]["epochs"] = 4
    write_yaml(tmp_path / "params.yaml", values)
    (tmp_path / "profiles").mkdir()
    write_yaml(tmp_path / "profiles" / "big.yaml", {"dpo": {"epochs": 9}, "sft": {"batch_size": 64}})
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fields_of(schema: dict[str, Any], flow: Any) -> dict[str, Any]:
    fields: dict[str, Any] = schema["definitions"][type(flow.fn.__defaults__[0]).__name__]["properties"]
    return fields


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_the_form_holds_the_methods_own_section_then_data_and_folds_the_rest_into_one(root: Path, flow: Any) -> None:
    schema = form_schema(root, flow, load_settings(root, None, []))
    fields, folded = fields_of(schema, flow), schema["definitions"]["OtherSettings"]["properties"]
    in_order = sorted(fields, key=lambda name: fields[name]["position"])
    assert in_order == [*OPEN[flow.name], "data", "seed", "other_settings"]
    assert {name for name, field in fields.items() if "anyOf" in field} == {"data", "other_settings"}
    assert all("anyOf" in field for field in folded.values())
    settings = type(flow.fn.__defaults__[0]).model_fields
    assert sorted([*in_order[:-1], *folded]) == sorted(settings)
    titled = {**fields, **folded}
    assert {name: field["title"] for name, field in titled.items()} == {
        **{name: TITLES[name] for name in settings}, "other_settings": "All other settings",
    }  # fmt: skip
    assert schema["properties"]["profile"]["enum"] == ["", "big"]


def test_the_form_keeps_its_order_on_a_server_that_sorts_the_keys_of_a_schema(root: Path) -> None:
    """PostgreSQL keeps it as JSONB, where a section's fields come by the length of their names."""
    schema = form_schema(root, rlhf, load_settings(root, None, []))
    for kind in (PpoConfig, SftConfig, WorldConfig):
        fields = schema["definitions"][kind.__name__]["properties"]
        by_length = sorted(fields, key=lambda name: (len(name), name))
        assert by_length != list(kind.model_fields)
        assert sorted(by_length, key=lambda name: fields[name]["position"]) == list(kind.model_fields)


def test_no_title_is_the_name_of_a_class(root: Path) -> None:
    for flow in FLOWS:
        definitions = form_schema(root, flow, load_settings(root, None, []))["definitions"]
        assert not [name for name, definition in definitions.items() if definition.get("title") == name]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_what_the_form_begins_with_fits_it(root: Path, flow: Any) -> None:
    settings = load_settings(root, None, [])
    schema, values = form_schema(root, flow, settings), form_values(flow, settings)
    closed = {**values["settings"], "data": None, "other_settings": None}
    for parameters in (values, {"settings": closed, "profile": "big"}):
        assert not validate(parameters, schema, raise_on_error=False)
    assert not is_valid({"profile": "huge"}, schema)


@pytest.mark.parametrize("folded", [True, False], ids=["folded", "flat"])
def test_sections_fit_the_form_folded_as_the_browser_sends_them_and_flat_as_callers_do(
    root: Path, folded: bool
) -> None:
    def asked_for(sections: dict[str, Any]) -> dict[str, Any]:
        return {"dpo": {"beta": 0.2}, **({"other_settings": sections} if folded else sections)}

    schema = form_schema(root, dpo, load_settings(root, None, []))
    settings = asked_for({"sft": {"epochs": 3}, "label": {"source": "human"}, "machine": None})
    assert is_valid({"settings": settings}, schema)
    read = DpoSettings.model_validate(settings)
    assert (read.dpo.beta, read.sft.epochs, read.label.source) == (0.2, 3, "human")
    assert read.model_fields_set == {"dpo", "sft", "label"}
    faults: list[dict[str, Any]] = [{"sft": {"epochs": -1}}, {"sft": {"epoch": 1}}, {"sfft": {}}, {"ppo": {}}]
    for fault in faults:
        assert not is_valid({"settings": asked_for(fault)}, schema)


def test_a_section_that_is_set_in_one_shape_and_closed_in_the_other_is_set() -> None:
    """Prefect's "Copy to new run" offers the parameters of a run that a caller asked for in the flat shape."""
    sections = {"sft": {"epochs": 3}}
    for settings in ({"sft": None, "other_settings": sections}, {**sections, "other_settings": {"sft": None}}):
        assert DpoSettings.model_validate(settings).sft.epochs == 3
    with pytest.raises(ValidationError, match="sft: set both in other_settings and beside it"):
        DpoSettings.model_validate({**sections, "other_settings": {"sft": {"epochs": 5}}})


def test_a_form_without_changes_says_what_the_command_line_begins_with() -> None:
    """What params.yaml says, but for the device of plain `dvc repro`."""
    values, settings = read_yaml(ROOT / "params.yaml"), stage_values(load_settings(ROOT, None, []))
    assert form_schema(ROOT, retrain, load_settings(ROOT, None, []))[PARAMS] == {
        name: value for name, value in settings.items() if name in RetrainSettings.model_fields
    }
    assert (values["machine"].pop("device"), settings["machine"].pop("device")) == ("cpu", "auto")
    assert {name: settings[name] for name in values if name != "flows"} == {
        name: value for name, value in values.items() if name != "flows"
    }


def test_a_section_that_is_opened_begins_with_params_yaml(root: Path) -> None:
    settings = load_settings(root, None, [])
    assert form_schema(root, dpo, settings)["definitions"]["SftConfig"]["properties"]["epochs"]["default"] == 4
    assert form_values(dpo, settings)["settings"]["dpo"]["beta"] == 0.7
    assert form_values(promote, settings) == {}


def test_closed_sections_are_as_in_params_yaml(root: Path) -> None:
    form = DpoSettings.model_validate({"dpo": {"beta": 0.2}, "sft": None, "data": None})
    settings = from_form(form, "")
    assert (settings.dpo.beta, settings.dpo.epochs, settings.sft.epochs) == (0.2, 5, 4)
    assert from_form(DpoSettings(), "") == settings_of(DpoSettings, load_settings(root, None, []))


def test_the_profile_changes_what_the_form_left_alone(root: Path) -> None:
    begun = form_values(dpo, load_settings(root, None, []))["settings"]
    settings = from_form(DpoSettings.model_validate(begun), "big")
    assert (settings.dpo.beta, settings.dpo.epochs, settings.sft.batch_size, settings.sft.epochs) == (0.7, 9, 64, 4)
    changed = {**begun, "dpo": {**begun["dpo"], "epochs": 2}}
    assert from_form(DpoSettings.model_validate(changed), "big").dpo.epochs == 2


def test_what_the_form_left_alone_is_as_params_yaml_says_now(root: Path) -> None:
    """The form was deployed, then params.yaml changed, then the form was submitted with another label smoothing."""
    began = form_values(dpo, load_settings(root, None, []))["settings"]
    deployed = form_schema(root, dpo, load_settings(root, None, []))[PARAMS]
    write_yaml(root / "params.yaml", {"dpo": {"beta": 0.1, "epochs": 7}, "sft": {"epochs": 1}})
    usual = stage_values(settings_of(DpoSettings, load_settings(root, None, [])))
    form = DpoSettings.model_validate({**began, "dpo": {**began["dpo"], "label_smoothing": 0.2, "epochs": 3}})
    settings = laid_over(usual, form, deployed, "the form")
    assert (settings.dpo.beta, settings.dpo.epochs, settings.dpo.label_smoothing) == (0.1, 3, 0.2)
    assert settings.sft.epochs == 1
    assert laid_over(usual, form, {}, "the form").dpo.beta == 0.7
    assert old_form(deployed, usual).startswith(
        "params.yaml has changed since the form was deployed (sft.epochs 4 → 1, dpo.epochs 5 → 7, dpo.beta 0.7 → 0.1)."
    )
    assert old_form(usual, usual) == ""
    on_its_own = {"machine": {"threads": 2}}
    assert "(machine.threads auto → 2)" in old_form({"machine": {"threads": "auto"}}, on_its_own)
    assert "(machine.threads 2 → auto)" in old_form(on_its_own, {"machine": {"threads": "auto"}})
    assert "deployed again" in old_form({}, usual)


def test_the_version_of_a_deployment_is_that_of_its_values(root: Path) -> None:
    first, second = (version_of(form_schema(root, flow, load_settings(root, None, []))) for flow in (dpo, rlhf))
    assert first
    assert first != second
    write_yaml(root / "params.yaml", {"sft": {"epochs": 3}})
    assert version_of(form_schema(root, dpo, load_settings(root, None, []))) not in (first, None)
    assert version_of(form_schema(root, promote, load_settings(root, None, []))) is None


@pytest.mark.usefixtures("root")
def test_whole_settings_stay_as_they_are() -> None:
    whole = settings_of(RlhfSettings, ProjectSettings())
    assert from_form(whole, "") is whole
    with pytest.raises(SettingsError, match="there is no profile 'huge'; there are: big"):
        from_form(whole, "huge")


def test_an_empty_section_of_params_yaml_is_a_fault(root: Path) -> None:
    write_yaml(root / "params.yaml", {"sft": None})
    with pytest.raises(SettingsError, match="sft"):
        load_settings(root, None, [])
