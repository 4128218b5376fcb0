"""Whether a model is what its record says: bytes, records, registry, and the views of them."""

from dataclasses import dataclass
from pathlib import Path

from stemma.lineage.index import Index
from stemma.lineage.names import Model
from stemma.lineage.store import Store
from stemma.verification.broken_edge import BrokenEdge, Live, first_broken_edge, touched
from stemma.verification.bytes_check import Hashed, check_bytes
from stemma.verification.fault import Fault
from stemma.verification.git_remote_check import check_chains, check_experiments
from stemma.verification.purged import excuse_purged
from stemma.verification.records_check import check_records
from stemma.verification.registry_check import check_registry
from stemma.verification.served_check import check_served
from stemma.verification.subject import Say, Subject
from stemma.verification.view_check import check_view
from stemma.verification.working_tree_check import check_working_tree


@dataclass(frozen=True)
class Verdict:
    """What verifying a model found."""

    subject: Subject
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    """What could not be looked at, and what is gone on purpose."""
    hashed: Hashed
    remote: bool
    """Whether the remotes were looked at."""
    edge: BrokenEdge | None
    """The first broken edge."""
    live: tuple[Live, ...]
    """The aliases that the faults touch."""


def quiet(_: str) -> None:
    """Say nothing."""


def verify_bytes(
    root: Path, index: Index, store: Store, model: Model, remote: bool = False, say: Say = quiet
) -> list[Fault]:
    """Hash every byte of a model's family in the cache, and with `remote` on the DVC remote.

    Raises WorkspaceError where the remote does not answer, or there is none.
    """
    return excuse_purged(root, check_bytes(Subject(root, index, store, model, say), remote).faults)[0]


def verify_family(
    root: Path, index: Index, store: Store, model: Model, remote: bool = False, say: Say = quiet
) -> list[Fault]:
    """Check the bytes and the records of a model's family, and the registry; no view of them.

    With `remote` the copies on the DVC remote are hashed too, and the Git remote must have the experiments.
    Raises WorkspaceError where a remote does not answer, or there is no DVC remote.
    """
    subject = Subject(root, index, store, model, say)
    return [
        *excuse_purged(root, check_bytes(subject, remote).faults)[0],
        *check_records(subject),
        *check_registry(subject),
        *(check_experiments(subject) if remote else ()),
    ]


def verify(subject: Subject, remote: bool = False) -> Verdict:
    """Check a model, all that it was made from, and every view of it: MLflow, served files, the working tree.

    Raises WorkspaceError where a remote does not answer, or there is no DVC remote.
    """
    hashed = check_bytes(subject, remote)
    of_bytes, purged = excuse_purged(subject.root, hashed.faults)
    view, unseen = check_view(subject)
    faults = (
        *of_bytes,
        *check_records(subject),
        *check_registry(subject),
        *(check_experiments(subject) if remote else ()),
        *(check_chains(subject) if remote else ()),
        *view,
        *check_served(subject, hashed.listings),
        *check_working_tree(subject),
    )
    edge = first_broken_edge(subject, faults)
    live = touched(subject, faults, hashed.listings)
    return Verdict(subject, faults, (*purged, *unseen), hashed, remote, edge, tuple(live))
