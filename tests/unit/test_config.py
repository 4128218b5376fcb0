"""Settings: overrides, all faults at once, the near name."""

from pathlib import Path

import pytest
from pydantic import Field

from stemma.config import Settings, merged, parse_overrides, parse_settings, read_yaml, write_yaml
from stemma.errors import SettingsError
from tasks.label import LabelConfig


class Inner(Settings):
    beta: float = Field(0.1, gt=0)
    epochs: int = 1


class Outer(Settings):
    seed: int = 0
    dpo: Inner = Inner()


def test_overrides_are_nested_and_read_as_yaml() -> None:
    assert parse_overrides(["dpo.beta=1e-3", "data.files=[a, b]", "dpo.epochs=2"]) == {
        "dpo": {"beta": 0.001, "epochs": 2},
        "data": {"files": ["a", "b"]},
    }


def test_every_malformed_override_is_named() -> None:
    with pytest.raises(SettingsError, match=r"has 2 faults(.|\n)*--set beta(.|\n)*--set \.x=1"):
        parse_overrides(["beta", ".x=1"])


def test_all_faults_at_once_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(Outer, {"dpo": {"beta": -1, "epoch": 2}, "sed": 1}, "params.yaml")
    assert str(caught.value).splitlines() == [
        "params.yaml has 3 faults:",
        "  dpo.beta: should be greater than 0, got -1",
        "  dpo.epoch: unknown key; did you mean epochs?",
        "  sed: unknown key; did you mean seed?",
    ]


def test_a_login_in_a_refused_address_is_not_repeated() -> None:
    with pytest.raises(SettingsError, match=r"got 'http://…@host/v1'") as caught:
        parse_settings(Outer, {"seed": "http://ann:geheim@host/v1"}, "x")
    assert "geheim" not in str(caught.value)


def test_an_infinite_number_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"dpo\.beta: should be a finite number"):
        parse_settings(Outer, {"dpo": {"beta": float("inf")}}, "x")


def test_merging_leaves_its_arguments_alone() -> None:
    values = {"a": {"b": 1, "c": 2}}
    assert merged(values, {"a": {"b": 3}, "d": 4}) == {"a": {"b": 3, "c": 2}, "d": 4}
    assert values == {"a": {"b": 1, "c": 2}}


def test_writing_keeps_comments_and_what_is_not_named(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("# why\nsft: {a: 1, b: 2}  # here\nppo:\n  c: 3\n")
    write_yaml(file, {"sft": {"b": 5}})
    assert "# why" in file.read_text()
    assert read_yaml(file) == {"sft": {"a": 1, "b": 5}, "ppo": {"c": 3}}


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "not readable YAML"), ("- 1", "must hold sections"), (None, "does not exist")]
)
def test_an_unreadable_file_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "params.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match=rf"params\.yaml.*{message}"):
        read_yaml(file)


def test_settings_that_do_not_go_together_are_not_printed_whole() -> None:
    with pytest.raises(SettingsError, match="verdicts_per_pair") as caught:
        parse_settings(LabelConfig, {"verdicts_per_pair": 9}, "here")
    assert "got {" not in str(caught.value)
