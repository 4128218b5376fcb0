"""Watch the label store beside a Prefect server: say which batches ended and that verdicts came; show how far all is.

`python -m flows.people.label_watch`, which `stemma up` starts.
"""

import os
import time
from pathlib import Path

import httpx
from prefect.client.orchestration import get_client

from flows.people.label_events import announce
from flows.people.waiting_page import update_pages
from flows.round_events import announce_verdicts
from flows.service.prefect_file import read_prefect_file
from stemma.errors import LabelError, SettingsError
from stemma.labelling.store.batch import Progress
from stemma.labelling.store.database import STORE_VARIABLE, store_url
from stemma.labelling.store.store import LabelStore, open_store
from stemma.lineage.git import find_project

SECONDS_BETWEEN_LOOKS = 3.0
SECONDS_BETWEEN_COUNTS = 15.0


def watch(root: Path) -> None:
    """Watch for ever, and outlive whatever does not answer for a while."""
    print(f"watches the labels of {root}", flush=True)
    shown: dict[str, Progress] = {}
    store, due = None, 0.0
    while True:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        try:
            store = store or _opened(root)
            if store is None:
                continue
            announce(root, store)
            if time.monotonic() >= due:
                due = time.monotonic() + SECONDS_BETWEEN_COUNTS
                count(root, store, shown)
        except (LabelError, SettingsError, httpx.HTTPError) as error:
            print(f"labels: {error}", flush=True)


def count(root: Path, store: LabelStore, shown: dict[str, Progress]) -> None:
    """Show how far all batches are, and say that as many verdicts came as prefect.yaml, as it lies there now, asks for.

    Raises SettingsError where prefect.yaml has faults, LabelError or httpx.HTTPError where somebody does not answer.
    """
    with get_client(sync_client=True) as client:
        update_pages(client, store, shown)
        if wanted := read_prefect_file(root).retrain_on.verdicts:
            announce_verdicts(client, store, wanted)


def _opened(root: Path) -> LabelStore | None:
    """The label store, where somebody has made one."""
    if STORE_VARIABLE not in os.environ and not (root / "labels.db").exists():
        return None
    return open_store(store_url(root))


if __name__ == "__main__":
    watch(find_project(Path.cwd()))
