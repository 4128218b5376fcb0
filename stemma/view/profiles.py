"""What MLflow shows of a dataset beside its DVC id: rows, bytes, and who labelled."""

import json
from typing import Any

from stemma.errors import StemmaError
from stemma.lineage.store import Store
from stemma.lineage.trace import labellers

ROWS = ".jsonl"


def profile(store: Store, name: str, item: dict[str, Any]) -> str:
    """The profile of a dataset as JSON, by its input or output in dvc.lock; without rows if its bytes are not here."""
    rows = _rows(store, item["md5"])
    counts = labellers(store, name, item["md5"]) if rows else {}
    return json.dumps(
        {
            "bytes": item.get("size", 0),
            **({"num_rows": sum(rows.values()), "rows": rows} if rows else {}),
            **({"labellers": counts} if counts else {}),
        }
    )


def _rows(store: Store, dvc_id: str) -> dict[str, int]:
    """The number of rows of each file of rows."""
    try:
        files = store.files(dvc_id) or {}
        return {name: _lines(store, oid) for name, oid in sorted(files.items()) if name.endswith(ROWS)}
    except StemmaError:
        return {}


def _lines(store: Store, oid: str) -> int:
    place = next((place for place in store.places() if place.has(oid)), store.cache)
    with place.open(oid) as rows:
        return sum(1 for _ in rows)
