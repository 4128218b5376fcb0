"""The form of a training flow in Prefect's UI: the method's own section (open), data (closed), the rest in one section.

The form asks for the sections of params.yaml under the names that they have there. It adds one level: the field
`other_settings` holds the sections that are seldom changed, and `flows.settings` lifts them out of it. Callers may also
pass them beside the method's own section, as params.yaml has them. A closed section is empty: the run takes it from the
profile or params.yaml (flows.form_settings).
"""

import re
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.utilities.callables import parameter_schema

from flows.service.deployed_values import PARAMS
from flows.service.fitting import settings_of
from flows.settings import FOLDED, FlowSettings, ProjectSettings, profiles, stage_values

TITLES = {
    "data": "Data",
    "seed": "Seed",
    "round": "Round of retraining",
    "ppo": "PPO",
    "dpo": "DPO",
    "reward": "Reward model",
    "ai_label": "AI judges",
    "base": "Base model",
    "sft": "Supervised fine-tuning (SFT)",
    "sample": "Sampled responses",
    "label": "Labels",
    "human": "Labels from people",
    "judge": "Judge of the evaluation",
    "eval": "Evaluation",
    "registry": "Registered model",
    "machine": "Machine",
    "budget": "Budget",
    "resources": "Resources of each stage",
}
"""What the sections are called in the form, in its order."""
OPEN = {
    "rlhf": ("ppo",),
    "rlaif": ("ai_label",),
    "dpo": ("dpo",),
    "retrain": ("round",),
}
"""The sections that each flow's form shows open."""
BESIDE = ("data", "seed")
"""What stands beside them; every other section is in the field `other_settings`."""
FOLDED_TITLE = "All other settings"


def form_schema(root: Path, flow: Flow[Any, Any], settings: ProjectSettings) -> dict[str, Any]:
    """The JSON schema of which Prefect draws a flow's form; that of a flow without settings is Prefect's own."""
    schema: dict[str, Any] = parameter_schema(flow).model_dump_for_openapi()
    kind = _kind(flow)
    if kind is None:
        return schema
    definition, values = schema["definitions"][kind.__name__], stage_values(settings_of(kind, settings))
    fields, is_open = definition["properties"], OPEN[flow.name]
    ordered = [*is_open, *(name for name in TITLES if name in fields and name not in is_open)]
    shown = {name: _section(fields[name], TITLES[name], closed=name not in is_open) for name in ordered}
    first = [name for name in ordered if name in (*is_open, *BESIDE)]
    rest = {name: section for name, section in shown.items() if name not in first}
    schema["definitions"]["OtherSettings"] = _group(rest)
    titles = f"{', '.join(TITLES[name] for name in rest)}."
    folded = _section({"$ref": "#/definitions/OtherSettings", "description": titles}, FOLDED_TITLE, closed=True)
    definition["properties"] = {**{name: shown[name] for name in first}, FOLDED: folded}
    definition["patternProperties"] = {f"^{name}$": section for name, section in rest.items()}
    schema["properties"]["settings"]["default"] = form_values(flow, settings)["settings"]
    schema[PARAMS] = values
    _begin_with(schema, fields, values)
    _offer_profiles(schema, profiles(root))
    _name_in_words(schema)
    _keep_order(schema)
    return schema


def form_values(flow: Flow[Any, Any], settings: ProjectSettings) -> dict[str, Any]:
    """What the form holds before anybody changes it: the open sections, as in params.yaml."""
    kind = _kind(flow)
    if kind is None:
        return {}
    values = stage_values(settings_of(kind, settings))
    return {"settings": {name: values[name] for name in (*OPEN[flow.name], "seed")}}


def _kind(flow: Flow[Any, Any]) -> type[FlowSettings] | None:
    """The settings that a flow takes."""
    parameter = signature(flow.fn).parameters.get("settings")
    return type(parameter.default) if parameter and isinstance(parameter.default, FlowSettings) else None


def _section(field: Mapping[str, Any], title: str, *, closed: bool) -> dict[str, Any]:
    """A section as the form shows it; a plain value, such as the seed, is never closed."""
    if not closed or "$ref" not in field:
        return {**field, "title": title}
    empty = {"type": "null", "title": "as in params.yaml"}
    return {
        "title": title,
        "anyOf": [empty, {"$ref": field["$ref"]}],
        "default": None,
        "description": f"{field.get('description', '')} Left closed: as the profile or params.yaml has it.",
    }


def _group(sections: Mapping[str, Any]) -> dict[str, Any]:
    """The definition of a section that holds sections."""
    return {
        "type": "object",
        "title": "set here",
        "properties": dict(sections),
        "additionalProperties": False,
    }


def _begin_with(schema: Mapping[str, Any], fields: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Let a section that is opened begin with the values of params.yaml, not with the defaults of the code."""
    for name, field in fields.items():
        definition = schema["definitions"].get(field.get("$ref", "").rpartition("/")[2])
        if definition:
            definition["title"] = "set here"
            for key, shown in definition["properties"].items():
                shown["default"] = values[name][key]


def _offer_profiles(schema: dict[str, Any], names: Sequence[str]) -> None:
    schema["properties"]["profile"] |= {"enum": ["", *names], "position": -1}


def _name_in_words(schema: Mapping[str, Any]) -> None:
    """Give every group of fields a title in words, where it has the name of its class."""
    for name, definition in schema["definitions"].items():
        if definition.get("title") == name:
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"(Config|Settings)$", "", name))
            definition["title"] = words.capitalize() or name


def _keep_order(schema: Mapping[str, Any]) -> None:
    """Number the fields of every group: PostgreSQL keeps a schema as JSONB, which sorts its keys."""
    for definition in schema["definitions"].values():
        for position, field in enumerate(definition.get("properties", {}).values()):
            field["position"] = position
