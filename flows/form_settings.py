"""The settings of a run that was started from a form: what the form does not say, the profile and params.yaml say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from flows.service.fitting import settings_of
from flows.settings import FlowSettings, load_settings, stage_values
from stemma.config import Values, merged, parse_settings
from stemma.lineage.git import find_project

S = TypeVar("S", bound=FlowSettings)


def from_form(settings: S, profile: str) -> S:
    """Settings with params.yaml under them, the profile over that, and what the form says over both.

    A form begins with values of params.yaml. So what it says is what was set in it and differs from params.yaml; a
    value that was left as it was, or a section that was left closed, is for the profile to change. Settings that are
    whole, as the command line's are, stay as they are where no profile is named.
    Raises SettingsError where there is no such profile, or its values have faults.
    """
    kind = type(settings)
    if not profile and settings.model_fields_set >= kind.model_fields.keys():
        return settings
    root = find_project(Path.cwd())
    usual = stage_values(settings_of(kind, load_settings(root, None, [])))
    under = stage_values(settings_of(kind, load_settings(root, profile or None, [])))
    said = _differing(settings.model_dump(mode="json", exclude_unset=True), usual)
    return parse_settings(kind, merged(under, said), f"the form with profile {profile}" if profile else "the form")


def _differing(values: Mapping[str, Any], usual: Mapping[str, Any]) -> Values:
    """The values that differ from the usual ones, section by section."""
    found: Values = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(usual.get(key), Mapping):
            if inner := _differing(value, usual[key]):
                found[key] = inner
        elif key not in usual or value != usual[key]:
            found[key] = value
    return found
