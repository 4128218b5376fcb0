"""The runs that make clean models in the place of tainted ones, as commands."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from stemma.config import Values, read_yaml
from stemma.forgetting.wanted import Wanted
from stemma.lineage.explain import flat
from stemma.lineage.runs import Run
from stemma.stage.definition import PARAMS_FILE

FILES = "data.files"
ANNOTATORS = "label.annotators"


def retraining(root: Path, run: Run, wanted: Wanted, copies: Mapping[str, Path]) -> str:
    """The command that makes a run's models again: its settings, on cleaned raw files, without the annotator.

    `copies` are the cleaned raw files by their paths in the run, such as `inputs/pairs.jsonl`.
    """
    now = flat(_without_flows(read_yaml(root / PARAMS_FILE)))
    settings = flat(_without_flows(run.params))
    if FILES in settings:
        settings[FILES] = [_cleaned(root, file, copies) for file in settings[FILES]]
    if wanted.kind == "annotator" and isinstance(settings.get(ANNOTATORS), list):
        settings[ANNOTATORS] = [one for one in settings[ANNOTATORS] if one.get("name") != wanted.text]
    changed = {key: value for key, value in settings.items() if key not in now or now[key] != value}
    options = [word for key, value in changed.items() for word in ("--set", f"{key}={_text(value)}")]
    return shlex.join(["stemma", "run", run.flow, *options])


def _cleaned(root: Path, file: str, copies: Mapping[str, Path]) -> str:
    """Where a raw file is to be taken from: its cleaned copy, or else its copy in `inputs/`."""
    copy = copies.get(str(PurePosixPath(file)))
    return str(copy.relative_to(root)) if copy else file


def _without_flows(values: Values) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "flows"}


def _text(value: Any) -> str:
    """A value as YAML on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
