"""Settings: read from params.yaml, changed by `--set`, checked all at once."""

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stemma.errors import SettingsError

Values = dict[str, Any]
"""Settings as plain YAML values: sections of keys."""

Tuning = Literal["full", "lora"]
"""Whether a stage trains every weight or low-rank adapters."""


class Settings(BaseModel):
    """A frozen section of settings; the sentence under each field is its only explanation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class LoraConfig(Settings):
    """Low-rank adapters (Hu et al. 2021), used where `tuning` is `lora`."""

    r: int = Field(16, ge=1, le=1024)
    """Rank of the adapter matrices."""
    alpha: int = Field(32, ge=1)
    """Adapters are scaled by alpha / r."""


class MachineConfig(Settings):
    """What the machine decides. A flow fills this in from the hardware it finds; `--set machine.…` overrules it."""

    device: Literal["cpu", "cuda"] = "cpu"
    """Where the models live."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Number format of the weights' arithmetic while training; bf16 pays on a GPU only."""
    threads: int = Field(1, ge=1, le=1024)
    """CPU threads a process uses; fixed, because the order of a sum can change its last bit. More pay from about 10 M
    weights on, and on cores that nothing else uses."""
    processes: int = Field(1, ge=1, le=1024)
    """Processes that sft, judge, reward, ppo and dpo train in, each on a GPU of its own where there are GPUs; they
    share every batch. The other stages, the base model's pre-training too, run in one process whatever it is."""
    sharding: Literal["none", "zero1", "zero2", "zero3"] = "none"
    """What the processes divide among them instead of each holding all of it (Rajbhandari et al. 2020): `zero1` the
    optimizer's state, `zero2` the gradients too, `zero3` the weights too. PPO takes zero1 alone: docs/processes.md."""

    @model_validator(mode="after")
    def _shards_among_several(self) -> "MachineConfig":
        if self.sharding != "none" and self.processes == 1:
            raise ValueError(
                f"sharding {self.sharding} divides the training among processes, and processes is 1: raise it, or set "
                "sharding to none"
            )
        return self


S = TypeVar("S", bound=BaseModel)


def read_yaml(path: Path) -> Values:
    """Read a YAML file of sections.

    Raises SettingsError when the file is missing, is not YAML, or is not a mapping.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist; run from the project's folder") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not readable YAML: {error}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold sections of settings, such as `sft:`; it holds {type(values).__name__}")
    return values


def write_yaml(path: Path, values: Values) -> None:
    """Set the values in a YAML file, keeping its comments and the order of its keys."""
    yaml = YAML()
    yaml.width = 120
    kept = yaml.load(path.read_text(encoding="utf-8")) if path.exists() else {}
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(_merged_in_place(kept or {}, values), stream)


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> Values:
    """Values with the changes laid over them, section by section; neither argument is touched."""
    return _merged_in_place(deepcopy(dict(values)), changes)


def _merged_in_place(values: Values, changes: Mapping[str, Any]) -> Values:
    for key, change in changes.items():
        if isinstance(change, Mapping) and isinstance(values.get(key), Mapping):
            _merged_in_place(values[key], change)
        else:
            values[key] = deepcopy(change)
    return values


def parse_overrides(assignments: Iterable[str]) -> Values:
    """Turn `section.key=value` texts into nested values; a value is read as YAML.

    Raises SettingsError naming every text that is not of that form.
    """
    changes: Values = {}
    faults = []
    yaml = YAML(typ="safe", pure=True)
    for text in assignments:
        dotted, equals, value = text.partition("=")
        *path, last = dotted.strip().split(".")
        if not equals or not all([*path, last]):
            faults.append(f"  --set {text}: write it as section.key=value, for instance --set dpo.beta=0.2")
            continue
        try:
            leaf = {last: yaml.load(value)}
        except YAMLError:
            faults.append(f"  --set {text}: the value is not YAML; quote it")
            continue
        for key in reversed(path):
            leaf = {key: leaf}
        changes = merged(changes, leaf)
    if faults:
        raise SettingsError("\n".join(["the command line has " + _count(faults) + ":", *faults]))
    return changes


def parse_settings(model: type[S], values: Mapping[str, Any], where: str) -> S:
    """Build settings from values.

    Raises SettingsError listing every fault at once, each with its key, what is wrong, and the nearest known name for
    an unknown key; `where` names the place the values came from.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = [_fault(model, fault) for fault in error.errors(include_url=False)]
        raise SettingsError("\n".join([f"{where} has {_count(faults)}:", *faults])) from None


_LOGIN = re.compile(r"//[^/@\s]+@")
"""Who logs in with which password, in an address: a message may be shown or logged anywhere."""


def _count(faults: list[str]) -> str:
    return "1 fault" if len(faults) == 1 else f"{len(faults)} faults"


def _fault(model: type[BaseModel], fault: Any) -> str:
    *parents, last = [str(part) for part in fault["loc"]] or ["(whole)"]
    key = ".".join([*parents, last])
    if fault["type"] == "extra_forbidden":
        near = get_close_matches(last, _keys_at(model, parents), n=1)
        return f"  {key}: unknown key" + (f"; did you mean {near[0]}?" if near else "; remove it")
    if fault["type"] == "missing":
        return f"  {key}: missing; give it a value"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if isinstance(fault["input"], Mapping) and fault["type"] == "value_error":  # of settings that do not go together
        return f"  {key}: {message}"
    return f"  {key}: {message}, got {_LOGIN.sub('//…@', repr(fault['input']))}"


def _keys_at(model: type[BaseModel], parents: list[str]) -> list[str]:
    for parent in parents:
        field = model.model_fields.get(parent)
        models = [] if field is None else [t for t in (field.annotation, *get_args(field.annotation)) if _is_model(t)]
        if not models:
            return []
        model = models[0]
    return list(model.model_fields)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
