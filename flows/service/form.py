"""The form of a training flow in Prefect's UI: the method's own sections first (open), then data and the rest (closed).

The form asks for the sections of params.yaml under the names that they have there; only their order, their titles and
what is open at first are of the form. A closed section is empty: the run takes it from the profile or params.yaml
(flows.form_settings).
"""

import re
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.utilities.callables import parameter_schema

from flows.service.fitting import settings_of
from flows.settings import FlowSettings, ProjectSettings, profiles, stage_values

TITLES = {
    "data": "Data",
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
    "seed": "Seed",
}
"""What the sections are called in the form, in its order."""
OPEN = {
    "rlhf": ("ppo",),
    "rlaif": ("ai_label",),
    "dpo": ("dpo",),
    "retrain": ("round",),
}
"""The sections that each flow's form shows at first, besides `data.files`."""


def form_schema(root: Path, flow: Flow[Any, Any], settings: ProjectSettings) -> dict[str, Any]:
    """The JSON schema of which Prefect draws a flow's form; that of a flow without settings is Prefect's own."""
    schema: dict[str, Any] = parameter_schema(flow).model_dump_for_openapi()
    kind = _kind(flow)
    if kind is None:
        return schema
    definition = schema["definitions"][kind.__name__]
    ordered = [*OPEN[flow.name], *(name for name in TITLES if name not in OPEN[flow.name])]
    fields = definition["properties"]
    definition["properties"] = {
        name: {
            **_section(fields[name], closed=name not in OPEN[flow.name]),
            "title": TITLES[name],
            "position": position,
        }
        for position, name in enumerate(name for name in ordered if name in fields)
    }
    _begin_with(schema, fields, stage_values(settings_of(kind, settings)))
    _offer_profiles(schema, profiles(root))
    _name_in_words(schema)
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


def _section(field: Mapping[str, Any], *, closed: bool) -> dict[str, Any]:
    """A section as the form shows it; a plain value, such as the seed, is never closed."""
    if not closed or "$ref" not in field:
        return dict(field)
    empty = {"type": "null", "title": "as in params.yaml"}
    return {
        "anyOf": [empty, {"$ref": field["$ref"]}],
        "default": None,
        "description": f"{field.get('description', '')} Left closed: as the profile or params.yaml has it.",
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
