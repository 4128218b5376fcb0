"""The request to delete data: what holds it, what descends from that, cleaned versions, and a tombstone."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stemma.errors import SettingsError
from stemma.forgetting.cleaning import Cleaner
from stemma.forgetting.holdings import Holding, Search, search
from stemma.forgetting.wanted import Wanted
from stemma.lineage.forgotten import FORGOTTEN, Tombstones
from stemma.lineage.impact import Impact, impact
from stemma.lineage.index import Index
from stemma.lineage.sharing import hand_on
from stemma.lineage.sources import Source
from stemma.lineage.store import Store
from stemma.records.counting import counted


@dataclass
class Request:
    """One request to forget, against what is on record now."""

    root: Path
    index: Index
    store: Store
    wanted: Wanted

    @cached_property
    def tombstones(self) -> Tombstones:
        """The tombstones so far."""
        return Tombstones(self.root)

    @cached_property
    def asked(self) -> str:
        """What was asked for, as it may stand in a tombstone."""
        return self.tombstones.hidden(f"{self.wanted.kind} {self.wanted.text}")

    @cached_property
    def found(self) -> Search:
        """What holds it, as far as bytes are here."""
        return search(self.root, self.index, self.store, self.wanted)

    @property
    def acts(self) -> list[dict[str, Any]]:
        """What was done on the same request before."""
        return [link.act for link in self.tombstones.acts() if link.act["asked"] == self.asked]

    @property
    def buried(self) -> dict[str, dict[str, Any]]:
        """The dataset versions that tombstones of the same request name, by DVC id."""
        return {told["id"]: told for act in self.acts for told in act.get("datasets", [])}

    @cached_property
    def roots(self) -> set[str]:
        """The DVC ids of all dataset versions that hold it, or held it once."""
        return {*self.buried, *(holding.dataset.dvc_id for holding in self.found.holdings)}

    @cached_property
    def reached(self) -> Impact:
        """All that descends from these."""
        return impact(self.root, self.index, Source("", tuple(sorted(self.roots))))

    @property
    def tainted(self) -> dict[str, str]:
        """The reason for every artifact that the request taints, by DVC id."""
        told = f"what was forgotten on request {self.asked[:8]}"
        descendants = {one.artifact: f"it descends from a dataset that holds {told}" for one in self.reached.artifacts}
        return descendants | dict.fromkeys(self.roots, f"it holds {told}")


def apply(request: Request, reason: str) -> bool:
    """Write the cleaned versions, then the tombstone; returns whether there was anything new to do.

    Killed before the tombstone it leaves objects that nothing names, and the same command does it all.
    Raises SettingsError where the reason names what is to be forgotten; ChainMovedError where somebody else added a
    tombstone meanwhile.
    """
    wanted, tombstones, holdings = request.wanted, request.tombstones, request.found.holdings
    if wanted.hide(reason) != reason or wanted.text in reason:
        raise SettingsError("the reason names what is to be forgotten, and it would be kept; word it otherwise")
    cleaner = Cleaner(request.root, request.index, request.store, wanted, _done(request))
    cleaner.clean(holdings)
    _replicate(request.store, cleaner.written)
    new = [holding for holding in holdings if holding.dataset.dvc_id not in request.buried]
    tainted = {oid: why for oid, why in request.tainted.items() if oid not in tombstones.tainted}
    if new or tainted:
        act = {
            "act": "forget",
            "kind": wanted.kind,
            "asked": request.asked,
            "reason": reason,
            "datasets": [_told(wanted, holding, tombstones.cleaned | cleaner.cleaned) for holding in new],
            "tainted": sorted(tainted),
        }
        rows = sum(sum(holding.rows.values()) for holding in new)
        tombstones.add(f"forget {counted(rows, 'row')}, asked for by {wanted.kind}", act, tainted, cleaner.cleaned)
    hand_on(request.root, FORGOTTEN)
    return bool(new or tainted)


def _done(request: Request) -> dict[str, str]:
    """What need not be cleaned again: all that was, unless this very request did and the result is nowhere here."""
    own = {oid for told in request.buried.values() for oid in told["objects"]}
    places = request.store.places()
    cleaned = request.tombstones.cleaned
    return {old: new for old, new in cleaned.items() if old not in own or any(place.has(new) for place in places)}


def newest(cleaned: dict[str, str], oid: str) -> str | None:
    """The cleaned version of an artifact or raw file, cleaned again for later requests; None where there is none."""
    found = cleaned.get(oid)
    while found in cleaned:
        found = cleaned[found]
    return found


def held_objects(holding: Holding) -> list[str]:
    """What goes with a purge: the artifact, or of raw files those that hold it."""
    if holding.dataset.is_raw:
        return [part.md5 for part in holding.parts if not part.in_git]
    return [holding.dataset.dvc_id]


def _told(wanted: Wanted, holding: Holding, cleaned: dict[str, str]) -> dict[str, Any]:
    """A dataset version as a tombstone names it."""
    objects = held_objects(holding)
    return {
        "name": wanted.hide(holding.dataset.name),
        "id": holding.dataset.dvc_id,
        "rows": {wanted.hide(path): count for path, count in holding.rows.items()},
        "objects": objects,
        "cleaned": {oid: newest(cleaned, oid) for oid in objects},
    }


def _replicate(store: Store, ids: Iterable[str]) -> None:
    """Put the cleaned versions on the remote too, where there is one."""
    for oid in ids:
        if store.remote and not store.remote.has(oid):
            store.remote.take(oid, store.cache)
