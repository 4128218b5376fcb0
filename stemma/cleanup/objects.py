"""The objects in cache and remote that artifacts consist of, and their removal."""

import re
from collections.abc import Collection, Iterable, Sequence

from stemma.errors import ArtifactError
from stemma.lineage.store import Place, Store

OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")


class Objects:
    """The objects of artifacts, by the artifacts' lists of files in the given places."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._known: dict[str, frozenset[str] | None] = {}

    def of(self, artifact: str) -> frozenset[str] | None:
        """An artifact's objects, its list of files included; None where that list is nowhere.

        Raises ArtifactError where the list is damaged wherever it is.
        """
        if artifact not in self._known:
            self._known[artifact] = self._read(artifact)
        return self._known[artifact]

    def found(self, artifacts: Iterable[str]) -> set[str]:
        """The objects of artifacts, as far as their lists can be read."""
        found: set[str] = set()
        for artifact in artifacts:
            try:
                found |= self.of(artifact) or {artifact}
            except ArtifactError:
                found.add(artifact)
        return found

    def _read(self, artifact: str) -> frozenset[str] | None:
        if not artifact.endswith(".dir"):
            return frozenset([artifact])
        damage: ArtifactError | None = None
        for place in self._places:
            if place.has(artifact):
                try:
                    return frozenset([artifact, *place.files(artifact).values()])
                except ArtifactError as error:
                    damage = damage or error
        if damage:
            raise damage
        return None


def listed(place: Place) -> set[str]:
    """Every object of a place; what is no object, such as a half-written file, is left out."""
    return {oid for oid in place.all() if OBJECT.fullmatch(oid)}


def remove(store: Store, place: Place, ids: Collection[str]) -> int:
    """Remove objects from a place, and the run-cache's entries that name one that goes or is gone; returns the bytes.

    Lists of files go last: killed half-way, it leaves nothing whose other parts nobody can name.
    """
    present = listed(place)
    going = present.intersection(ids)
    run_cache = store.run_cache(place)
    run_cache.remove([path for path, outs in run_cache.entries().items() if not outs <= present - going])
    freed = sum(place.delete(oid) for oid in sorted(going, key=lambda oid: (oid.endswith(".dir"), oid)))
    if going:
        place.forget_listing()
    return freed
