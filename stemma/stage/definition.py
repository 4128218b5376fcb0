"""A stage as dvc.yaml describes it, and the key that holds everything that can change its bytes."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemma.config import Values, read_yaml
from stemma.errors import SettingsError
from stemma.stage.manifest import MANIFEST, file_sha256

ARTIFACTS = Path("artifacts")
METRICS = Path("metrics")
DVC_FILE = Path("dvc.yaml")
PARAMS_FILE = Path("params.yaml")
SETTING = re.compile(r"\$\{(\w+)\.(\w+)\}")
"""A setting's place in a path, as DVC writes it: section and name."""


@dataclass(frozen=True)
class StageDefinition:
    """One stage of dvc.yaml."""

    name: str
    address: str
    """What DVC calls it: `ppo@rlhf` for a stage that only the rlhf flow has."""
    cmd: str
    params: tuple[str, ...]
    code: tuple[Path, ...]
    """Dependencies that are code, requirements or raw inputs."""
    inputs: tuple[str, ...]
    """Names of the artifacts it is made from."""

    @property
    def section(self) -> str:
        """Its section of params.yaml, which is named after its module."""
        return self.cmd.split()[2].removeprefix("tasks.")

    @property
    def artifact(self) -> Path:
        """The folder that the stage makes."""
        return ARTIFACTS / self.name


def read_definitions(root: Path) -> dict[str, StageDefinition]:
    """Read the stages of dvc.yaml under a project's root, in file order."""
    stages = read_yaml(root / DVC_FILE).get("stages", {})
    params = read_yaml(root / PARAMS_FILE)
    return {name: _definition(name, stage, params) for name, stage in stages.items()}


def read_definition(root: Path, name: str) -> StageDefinition:
    """Read one stage.

    Raises SettingsError where dvc.yaml has no stage of that name.
    """
    definitions = read_definitions(root)
    if name not in definitions:
        raise SettingsError(f"dvc.yaml has no stage {name!r}; it has {', '.join(definitions)}")
    return definitions[name]


def _definition(name: str, described: dict[str, Any], params: Values) -> StageDefinition:
    stage = described.get("do", described)
    flow = described.get("foreach", "").removeprefix("${flows.").removesuffix("}")
    deps = [Path(with_settings(dep, params)) for dep in stage.get("deps", [])]
    return StageDefinition(
        name=name,
        address=f"{name}@{flow}" if flow else name,
        cmd=stage["cmd"],
        params=tuple(stage.get("params", [])),
        code=tuple(dep for dep in deps if dep.parts[0] != ARTIFACTS.name),
        inputs=tuple(dep.name for dep in deps if dep.parts[0] == ARTIFACTS.name),
    )


def with_settings(path: str, params: Values) -> str:
    """A path of dvc.yaml, such as `inputs/round/policy/from-${sft.source}`, with the settings' values in place."""
    return SETTING.sub(lambda found: str((params.get(found[1]) or {}).get(found[2], "")), path)


def stage_key(root: Path, definition: StageDefinition) -> str:
    """Hash all that can change the stage's bytes: command, settings, code, inputs (64 hexadecimal digits).

    It names the stage's step checkpoints and its lock; what is up to date is DVC's to decide.
    """
    params = read_yaml(root / PARAMS_FILE)
    return _digest(
        {
            "cmd": definition.cmd,
            "params": {section: params.get(section) for section in definition.params},
            "code": {path.as_posix(): _content(root / path) for path in definition.code},
            "inputs": {name: _content(root / ARTIFACTS / name) for name in definition.inputs},
        }
    )


def scratch_name(root: Path, definition: StageDefinition) -> str:
    """The name of the folder of the stage's step checkpoints: whoever comes to the same key goes on from them."""
    return f"{definition.name}-{stage_key(root, definition)[:16]}"


def _content(path: Path) -> str:
    if path.is_file():
        return file_sha256(path)
    if (path / MANIFEST).is_file():
        return file_sha256(path / MANIFEST)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return _digest({file.relative_to(path).as_posix(): file_sha256(file) for file in files})


def _digest(content: Values) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
