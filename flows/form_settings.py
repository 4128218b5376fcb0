"""The settings of a run that was started from a form: what the form does not say, the profile and params.yaml say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from prefect import get_run_logger

from flows.beginning import began_before
from flows.service.deployed_values import deployed_values
from flows.service.fitting import settings_of
from flows.settings import FlowSettings, load_settings, stage_values
from stemma.config import Values, merged, parse_settings
from stemma.lineage.explain import flat
from stemma.lineage.git import find_project

S = TypeVar("S", bound=FlowSettings)
SHOWN = 5
"""As many settings as the warning about an old form names."""


def from_form(settings: S, profile: str) -> S:
    """Settings with params.yaml under them, the profile over that, and what the form says over both.

    A form begins with the values that params.yaml had when it was deployed. So what it says is what was set in it and
    differs from them; a value that was left as it was, or a section that was left closed, is for the profile and
    today's params.yaml. A form that is older than params.yaml is named in the log. Settings that are whole, as the
    command line's are, stay as they are where no profile is named.
    Raises SettingsError where there is no such profile, or its values have faults.
    """
    kind = type(settings)
    if not profile and settings.model_fields_set >= kind.model_fields.keys():
        return settings
    root = find_project(Path.cwd())
    usual = stage_values(settings_of(kind, load_settings(root, None, [])))
    under = stage_values(settings_of(kind, load_settings(root, profile or None, [])))
    deployed = deployed_values()
    if deployed is None:
        deployed = usual
    elif (warning := old_form(deployed, usual)) and not began_before():
        get_run_logger().warning(warning)
    return laid_over(under, settings, deployed, f"the form with profile {profile}" if profile else "the form")


def laid_over(under: Values, settings: S, deployed: Values, where: str) -> S:
    """The values with what a form says over them: its settings that differ from the values it was deployed with.

    Raises SettingsError naming `where` if they do not fit together.
    """
    changed = _differing(settings.model_dump(mode="json", exclude_unset=True), deployed)
    return parse_settings(type(settings), merged(under, changed), where)


def old_form(deployed: Values, usual: Values) -> str:
    """A line for the log if a form was deployed with other values than those of params.yaml now; else empty."""
    if not deployed:
        return "the form was deployed again after this run was asked for: every value of its open sections counts"
    before, now = flat(deployed), flat(usual)
    changed = [
        f"{key} {before.get(key, 'not set')} → {now.get(key, 'not set')}"
        for key in dict.fromkeys([*now, *before])
        if before.get(key) != now.get(key)
    ]
    if not changed:
        return ""
    more = [f"{len(changed) - SHOWN} more"] if len(changed) > SHOWN else []
    return (
        f"params.yaml has changed since the form was deployed ({', '.join(changed[:SHOWN] + more)}). What was left as "
        "the form showed it is as in params.yaml now; `stemma deploy` renews the form"
    )


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
