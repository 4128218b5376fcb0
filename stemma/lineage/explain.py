"""Why a stage runs: what differs from the last run that has it on record."""

from collections.abc import Mapping, Sequence
from typing import Any

from stemma.lineage.dvc import LockEntry

NEVER_RUN = "no run has it yet"


def explain(stage: str, now: LockEntry, before: LockEntry, run: str) -> str:
    """Say in one line what changed, for instance `sft.learning_rate 0.001 → 0.002 (against run form-beta)`.

    `before` is the stage's entry in the dvc.lock of `run`, the newest that has one.
    """
    found = changes(now, before)
    if not found:
        return f"nothing of {stage} changed since run {run}, but its bytes are not in the cache"
    return against(listed(found), run)


def against(text: str, run: str) -> str:
    """Changes with the run that they are changes from."""
    return f"{text} (against run {run})"


def changes(now: LockEntry, before: LockEntry) -> list[str]:
    """What differs, a few words each."""
    return [*_command(now, before), *_settings(now, before), *_dependencies(now, before)]


def listed(found: Sequence[str]) -> str:
    """Changes in one line, the first few of many."""
    shown = found[:4]
    return ", ".join(shown) + (f" and {len(found) - len(shown)} more" if len(found) > len(shown) else "")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted keys; an empty section is a key of its own."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result


def _command(now: LockEntry, before: LockEntry) -> list[str]:
    return [] if now["cmd"] == before["cmd"] else [f"command {before['cmd']} → {now['cmd']}"]


def _settings(now: LockEntry, before: LockEntry) -> list[str]:
    new, old = (flat(entry.get("params", {}).get("params.yaml", {})) for entry in (now, before))
    return [
        f"{key} {old[key]} → {new[key]}" if key in old and key in new else f"{key} is {'new' if key in new else 'gone'}"
        for key in _differing(new, old)
    ]


def _dependencies(now: LockEntry, before: LockEntry) -> list[str]:
    new, old = ({dep["path"]: dep.get("md5") for dep in entry.get("deps", [])} for entry in (now, before))
    words = {(True, True): "changed", (True, False): "is a new dependency", (False, True): "is no dependency any more"}
    return [f"{path} {words[path in new, path in old]}" for path in _differing(new, old)]


def _differing(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    """Keys that one side lacks or that differ in value, in the order of the new side."""
    keys = [*new, *(key for key in old if key not in new)]
    return [key for key in keys if key not in new or key not in old or new[key] != old[key]]
