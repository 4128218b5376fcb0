"""The dvc.lock of the working tree, where it tells of the family: it must tell what the runs' own records do.

A working tree may hold another run, or a stage that was run by hand; only what contradicts the record is a fault.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from stemma.config import read_yaml
from stemma.lineage.dvc import LockEntry, read_lock
from stemma.lineage.family import Member
from stemma.verification.fault import Fault, Kind
from stemma.verification.record import LOCK_FILE, PARAMS_FILE
from stemma.verification.records_check import artifact_of
from stemma.verification.subject import Subject, short

DEPENDENCY, OUTPUT, SETTING = "dependency", "output", "setting"


def check_working_tree(subject: Subject) -> list[Fault]:
    """Compare each stage of the working tree's dvc.lock with the member of the family that it tells of."""
    file = subject.root / LOCK_FILE
    content = file.read_bytes() if file.exists() else b""
    if any(content == record.lock_text for record in subject.records.values()):
        return []
    try:
        lock = read_lock(content.decode())
    except (YAMLError, UnicodeDecodeError, AttributeError) as error:
        return [Fault(Kind.WORKING_TREE, str(file), f"it is not readable: {error}", "`git checkout dvc.lock`")]
    faults: list[Fault] = []
    for member in subject.members:
        entry = lock.get(member.name)
        if member.derivation and entry:
            faults += _faults(subject, file, member, entry)
    return faults


def _faults(subject: Subject, file: Path, member: Member, entry: LockEntry) -> Iterator[Fault]:
    known = [_parts(derivation.entry) for derivation in subject.index.of_artifact(member.dvc_id)]
    told = _parts(entry)
    if artifact_of(entry) == member.dvc_id:
        differing = min((_differing(told, other) for other in known), key=len)
        # A stage that somebody ran by hand on what the working tree holds now is no fault.
        if all(_is_there(subject.root, part, told.get(part)) for part in differing):
            return
        words = f"it tells of {short(member)} otherwise than any run on record: {', '.join(map(str, differing))}"
    elif any(all(part.kind == OUTPUT for part in _differing(told, other)) for other in known):
        words = f"it says that {member.name} is {artifact_of(entry)}; on record the same inputs made {member.dvc_id}"
    else:
        return
    run = subject.record_of(member).run.name
    yield Fault(Kind.WORKING_TREE, str(file), words, f"`dvc exp apply {run}` puts it back", member.dvc_id)


@dataclass(frozen=True, order=True)
class _Part:
    """One thing that an entry of dvc.lock tells."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


def _parts(entry: LockEntry) -> dict[_Part, Any]:
    settings = entry.get("params", {}).get(PARAMS_FILE, {})
    return {
        _Part("command", ""): entry.get("cmd"),
        **{_Part(DEPENDENCY, dep["path"]): dep for dep in entry.get("deps", [])},
        **{_Part(SETTING, key): value for key, value in settings.items()},
        **{_Part(OUTPUT, out["path"]): out for out in entry.get("outs", [])},
    }


def _differing(one: Mapping[_Part, Any], other: Mapping[_Part, Any]) -> list[_Part]:
    return sorted(part for part in {*one, *other} if one.get(part) != other.get(part))


def _is_there(root: Path, part: _Part, told: Any) -> bool:
    """Whether the working tree holds what its dvc.lock tells."""
    if part.kind == SETTING:
        return bool(read_yaml(root / PARAMS_FILE).get(part.name) == told)
    file = root / part.name
    if part.kind != DEPENDENCY or not told or not file.is_file():
        return False
    content = file.read_bytes()
    return (told.get("md5"), told.get("size")) == (
        hashlib.md5(content, usedforsecurity=False).hexdigest(),
        len(content),
    )
