"""Who really labelled, as tags and numbers of the run that made the labels."""

import re

from stemma.lineage.store import Store
from stemma.lineage.trace import labellers
from stemma.view.origin import labellers_text

BY = "labels/by/"
"""Before a labeller's name, the number of their verdicts."""
UNFIT = re.compile(r"[^\w\- ]")
"""What is replaced in a metric's name: what MLflow refuses, and what would make a path of it (`..`, `a//b`)."""
LONGEST_NAME = 200
"""Characters; MLflow's database has room for 250 with what stands before."""


def labelling_facts(store: Store, stage: str, dvc_id: str) -> tuple[dict[str, str], dict[str, float]]:
    """Tags and metrics of labels; empty for other artifacts, and where the bytes are nowhere here."""
    counts = labellers(store, stage, dvc_id)
    if not counts:
        return {}, {}
    by_name: dict[str, float] = {}
    for name, count in counts.items():
        key = BY + (UNFIT.sub("_", name)[:LONGEST_NAME].strip() or "_")
        by_name[key] = by_name.get(key, 0.0) + count
    metrics = {"labels/verdicts": float(sum(counts.values())), "labels/labellers": float(len(counts)), **by_name}
    return {"stemma.labellers": labellers_text(counts)}, metrics
