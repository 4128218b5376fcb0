"""What kind of judge an artifact holds, written so that a judge without a model costs no import of one."""

from pathlib import Path
from typing import Literal, get_args

from stemma.errors import ArtifactError
from stemma.records.json_file import read_json, write_json

JudgeKind = Literal["gold", "reward_model"]
"""The default world's gold rule, or a reward model trained on pairs that nothing else was trained on."""

KINDS: tuple[JudgeKind, ...] = get_args(JudgeKind)
JUDGE_FILE = "judge.json"


def write_kind(folder: Path, kind: JudgeKind) -> None:
    """Write judge.json."""
    write_json(folder / JUDGE_FILE, {"kind": kind})


def read_kind(folder: Path) -> JudgeKind:
    """Read judge.json.

    Raises ArtifactError where it is missing or names no known kind.
    """
    path = folder / JUDGE_FILE
    named = read_json(path).get("kind") if path.is_file() else None
    for kind in KINDS:
        if named == kind:
            return kind
    raise ArtifactError(f"{folder} holds no judge (its {JUDGE_FILE} names {named}); rebuild it with `dvc repro judge`")
