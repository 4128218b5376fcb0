"""Bytes that are gone on purpose: purged on request, with a tombstone that says so."""

from collections.abc import Sequence
from pathlib import Path

from stemma.lineage.forgotten import Tombstones
from stemma.verification.fault import Fault, Kind

MISSING = frozenset({Kind.CACHE_MISSING, Kind.REMOTE_MISSING})


def excuse_purged(root: Path, faults: Sequence[Fault]) -> tuple[list[Fault], list[str]]:
    """The faults but for objects that were purged on request, and a note on each of those."""
    missing = [fault for fault in faults if fault.kind in MISSING]
    purged = _purged(root) if missing else set()
    excused = [fault for fault in missing if {fault.artifact, fault.oid} & purged]
    notes = [f"{fault.words}: it was purged on request, and a tombstone says so" for fault in excused]
    return [fault for fault in faults if fault not in excused], notes


def _purged(root: Path) -> set[str]:
    """The artifacts and raw files that purges removed."""
    acts = [link.act for link in Tombstones(root).acts()]
    asked = {act["asked"] for act in acts if act["act"] == "purge"}
    told = [dataset for act in acts if act["asked"] in asked for dataset in act.get("datasets", [])]
    return {oid for dataset in told for oid in dataset["objects"]}
