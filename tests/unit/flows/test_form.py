"""The form of a flow asks for the sections of params.yaml; what it says lies over the profile and params.yaml."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from prefect.utilities.schema_tools.validation import is_valid, validate

from flows.dpo import dpo
from flows.form_settings import from_form
from flows.promote import promote
from flows.retrain import retrain
from flows.rlaif import rlaif
from flows.rlhf import rlhf
from flows.service.fitting import settings_of
from flows.service.form import OPEN, TITLES, form_schema, form_values
from flows.settings import DpoSettings, ProjectSettings, RlhfSettings, load_settings, stage_values
from stemma.config import write_yaml
from stemma.errors import SettingsError

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
def test_the_form_holds_the_sections_of_params_yaml_the_methods_own_first_then_data(root: Path, flow: Any) -> None:
    schema = form_schema(root, flow, load_settings(root, None, []))
    fields = fields_of(schema, flow)
    assert set(fields) == set(type(flow.fn.__defaults__[0]).model_fields)
    ordered = sorted(fields, key=lambda name: fields[name]["position"])
    assert tuple(ordered[: len(OPEN[flow.name]) + 1]) == (*OPEN[flow.name], "data")
    assert {name for name, field in fields.items() if "anyOf" not in field} == {*OPEN[flow.name], "seed"}
    assert [fields[name]["title"] for name in ordered] == [TITLES[name] for name in ordered]
    assert schema["properties"]["profile"]["enum"] == ["", "big"]


def test_no_title_is_the_name_of_a_class(root: Path) -> None:
    for flow in FLOWS:
        definitions = form_schema(root, flow, load_settings(root, None, []))["definitions"]
        assert not [name for name, definition in definitions.items() if definition.get("title") == name]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_what_the_form_begins_with_fits_it(root: Path, flow: Any) -> None:
    settings = load_settings(root, None, [])
    schema, values = form_schema(root, flow, settings), form_values(flow, settings)
    closed = {**values["settings"], "sft": None, "data": None}
    for parameters in (values, {"settings": closed, "profile": "big"}):
        assert not validate(parameters, schema, raise_on_error=False)
    assert not is_valid({"profile": "huge"}, schema)


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
