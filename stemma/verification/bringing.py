"""A family's bytes brought here from the DVC remote, where another machine made them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stemma.errors import ArtifactError
from stemma.lineage.index import Index
from stemma.lineage.names import Model
from stemma.lineage.store import Store
from stemma.verification.bytes_check import THREADS, listings_of, wanted_objects
from stemma.verification.subject import Subject
from stemma.verification.verify import quiet


def bring_family(root: Path, index: Index, store: Store, model: Model) -> int:
    """Copy from the DVC remote what the cache lacks of a model's family; what is there stays, good or damaged.

    A copy that is damaged on the remote stays there, for the audit to find. Returns how many objects came.
    Raises WorkspaceError where the remote does not answer.
    """
    cache, remote = store.cache, store.remote
    if remote is None:
        return 0
    subject = Subject(root, index, store, model, quiet)

    def bring(oid: str) -> bool:
        if cache.has(oid) or not remote.has(oid):
            return False
        try:
            cache.take(oid, remote)
        except ArtifactError:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(bring, wanted_objects(subject, listings_of(subject, store.places()))))
