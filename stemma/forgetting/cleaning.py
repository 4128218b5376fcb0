"""Cleaned versions of datasets: the same files without the rows that are to be forgotten, as new objects of DVC."""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from stemma.config import Values
from stemma.errors import ArtifactError
from stemma.forgetting.holdings import GZIP, Bytes, Holding, Part
from stemma.forgetting.wanted import Wanted, matches
from stemma.lineage.index import Index
from stemma.lineage.row_files import LINES
from stemma.lineage.store import Store
from stemma.stage.manifest import MANIFEST


class Cleaner:
    """Writes the cleaned versions into the cache; whatever it wrote before comes out the same."""

    def __init__(self, root: Path, index: Index, store: Store, wanted: Wanted, done: Mapping[str, str]) -> None:
        self._index = index
        self._store = store
        self._wanted = wanted
        self._bytes = Bytes(root, store)
        self.cleaned: dict[str, str] = {}
        """The new id of every artifact and raw file, by its old one."""
        self.written: list[str] = []
        """Every object that the cleaned versions need and the old ones did not, lists of files last."""
        self._done = done
        self._manifests: dict[str, str] = {}

    def clean(self, holdings: Sequence[Holding]) -> None:
        """Clean dataset versions, each after those that it was made from; one that was cleaned before is left.

        Raises ArtifactError where bytes are missing.
        """
        waiting = {holding.dataset.dvc_id: holding for holding in holdings if holding.dataset.dvc_id not in self._done}
        while waiting:
            ready = [oid for oid in waiting if not self._parents(oid) & waiting.keys()]
            for oid in ready:
                holding = waiting.pop(oid)
                if holding.dataset.is_raw:
                    self._clean_raw(holding)
                else:
                    self.cleaned[oid] = self._clean_artifact(oid, holding)

    def _parents(self, artifact: str) -> set[str]:
        derivations = self._index.of_artifact(artifact)[:1]
        return {dep.md5 for derivation in derivations for dep in self._index.inputs(derivation) if not dep.is_code}

    def _clean_raw(self, holding: Holding) -> None:
        for part in holding.parts:
            if part.path.endswith(LINES) and part.md5 not in self._done:
                self.cleaned[part.md5] = self._put(self._without(part, self._content(part)))

    def _clean_artifact(self, artifact: str, holding: Holding) -> str:
        files = dict(self._store.files(artifact) or {})
        changed = {part.path: self._without(part, self._content(part)) for part in holding.parts}
        if MANIFEST in files:
            old = self._content(Part(MANIFEST, files[MANIFEST]))
            changed[MANIFEST] = self._manifest(artifact, json.loads(old), changed)
            self._manifests[_sha256(old)] = _sha256(changed[MANIFEST])
        files |= {path: self._put(content) for path, content in changed.items()}
        listed = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
        return self._put(json.dumps(listed, sort_keys=True).encode(), ".dir")

    def _manifest(self, artifact: str, old: Values, changed: Mapping[str, bytes]) -> bytes:
        """The manifest with the new files' hashes, and with those of the cleaned versions of its inputs."""
        told = {path: {"sha256": _sha256(content), "size": len(content)} for path, content in changed.items()}
        inputs = {name: self._manifests.get(sha256, sha256) for name, sha256 in old["inputs"].items()}
        new = {**old, "files": {**old["files"], **told}, "inputs": inputs, "cleaned_from": artifact}
        return (json.dumps(new, indent=2, sort_keys=True) + "\n").encode()

    def _without(self, part: Part, content: bytes) -> bytes:
        """A file without what is to be forgotten."""
        if part.is_report:
            return self._wanted.hide(content.decode("utf-8", "replace")).encode()
        plain = gzip.decompress(content) if content.startswith(GZIP) else content
        kept = b"\n".join(line for line in plain.split(b"\n") if not self._goes(line))
        return gzip.compress(kept, mtime=0) if content.startswith(GZIP) else kept

    def _goes(self, line: bytes) -> bool:
        return bool(line.strip()) and matches(self._wanted, line.decode("utf-8", "replace"))

    def _put(self, content: bytes, suffix: str = "") -> str:
        self.written.append(self._store.cache.put(content, suffix))
        return self.written[-1]

    def _content(self, part: Part) -> bytes:
        content = self._bytes.stored(part)
        if content is None:
            raise ArtifactError(
                f"object {part.md5}, {part.path}, is missing or damaged, so its dataset cannot be cleaned; "
                "`stemma verify --repair` fetches a good copy"
            )
        return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
