"""Mending what verifying found, as far as a good copy is at hand."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from stemma.errors import ArtifactError
from stemma.lineage.store import Place, Store
from stemma.verification.fault import IN_CACHE, IN_MLFLOW, ON_REMOTE, Fault
from stemma.verification.verify import Verdict, verify


@dataclass(frozen=True)
class Repair:
    """One thing that was mended, or could not be."""

    fault: Fault
    done: bool
    words: str


def mend(verdict: Verdict, reconcile: Callable[[], object]) -> tuple[Verdict, list[Repair]]:
    """Mend what can be mended and verify again; returns what is wrong then, and what was tried.

    A list of files that was missing hides the files it lists, so mending goes on for as long as it mends something.
    `reconcile` makes MLflow follow Git; it is called where MLflow does not.
    Raises WorkspaceError where the remote does not answer, ServiceError where MLflow does not.
    """
    done: list[Repair] = []
    if any(fault.kind in IN_MLFLOW for fault in verdict.faults):
        reconcile()
        verdict = verify(replace(verdict.subject), verdict.remote)
    while True:
        tried = repair_bytes(verdict.subject.store, verdict.faults)
        done += [repair for repair in tried if repair.done]
        if not any(repair.done for repair in tried):
            return verdict, done + tried
        verdict = verify(replace(verdict.subject), verdict.remote)


def repair_bytes(store: Store, faults: Iterable[Fault]) -> list[Repair]:
    """Replace damaged and missing objects of the cache by the remote's copies, and the remote's by the cache's.

    Raises WorkspaceError where the remote does not answer.
    """
    repairs = []
    for fault in faults:
        if fault.kind in IN_CACHE:
            repairs.append(_take(fault, store.cache, store.remote))
        elif fault.kind in ON_REMOTE and store.remote:
            repairs.append(_take(fault, store.remote, store.cache))
    return repairs


def _take(fault: Fault, place: Place, source: Place | None) -> Repair:
    if source is None:
        return Repair(fault, done=False, words=f"{fault.place}: no DVC remote is configured that could have a copy")
    try:
        place.take(fault.oid, source)
    except ArtifactError as error:
        return Repair(fault, done=False, words=f"{fault.place}: {error}")
    return Repair(fault, done=True, words=f"{fault.place}: took the copy of {source.name}")
