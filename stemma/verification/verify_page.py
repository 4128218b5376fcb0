"""What verifying found, for people and as plain values."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from stemma.lineage.family import size_text
from stemma.records.counting import counted
from stemma.verification.repair import Repair
from stemma.verification.verify import Verdict


def page(verdict: Verdict) -> str:
    """The verdict for people: the first broken edge, every fault, and the live models that they touch."""
    title = verdict.subject.model.title
    lines = [f"{title}: {_found(verdict)}"]
    if verdict.edge:
        lines += ["", f"First broken edge: {verdict.edge.words}"]
    for fault in verdict.faults:
        lines += ["", f"{fault.kind}: {fault.place}", f"  {fault.words}", f"  remedy: {fault.remedy}"]
    if verdict.live:
        lines += ["", "Live models that this touches:"]
        lines += [f"  {model.name} ({model.version}, {model.artifact})" for model in verdict.live]
    return "\n".join([*lines, *(["", *verdict.notes] if verdict.notes else [])])


def repairs_page(repairs: Sequence[Repair]) -> str:
    """What was mended and what was not."""
    return "\n".join(f"{'mended' if repair.done else 'not mended'}: {repair.words}" for repair in repairs)


def as_json(verdict: Verdict, repairs: Sequence[Repair]) -> dict[str, Any]:
    """The verdict as plain values."""
    model, edge = verdict.subject.model, verdict.edge
    return {
        "model": model.title,
        "artifact": model.derivation.artifact,
        "run": model.run.name,
        "experiment": model.run.commit,
        "clean": not verdict.faults,
        "remote": verdict.remote,
        "artifacts": len(verdict.subject.members),
        "objects": verdict.hashed.objects,
        "bytes": verdict.hashed.size,
        "first_broken_edge": {"parent": edge.parent.dvc_id, "child": edge.child.dvc_id if edge.child else None}
        if edge
        else None,
        "faults": [asdict(fault) for fault in verdict.faults],
        "live": [asdict(live) for live in verdict.live],
        "repairs": [{"oid": repair.fault.oid, "done": repair.done, "words": repair.words} for repair in repairs],
        "notes": list(verdict.notes),
    }


def _found(verdict: Verdict) -> str:
    hashed, members = verdict.hashed, verdict.subject.members
    looked = (
        f"{len(members)} artifacts, {hashed.objects} objects, {size_text(hashed.size)} hashed"
        f"{' here and on the remote' if verdict.remote else ''}, "
        f"{counted(len(verdict.subject.records), 'run')} on record"
    )
    count = len(verdict.faults)
    if not count:
        return f"every byte and every record is right ({looked})"
    return f"{count} fault{'s' if count > 1 else ''} ({looked})"
