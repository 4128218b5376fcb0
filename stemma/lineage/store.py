"""The bytes of artifacts, in the DVC cache and on the DVC remote."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from stemma.errors import ArtifactError, WorkspaceError
from stemma.lineage.run_cache import RunCache

CHUNK = 1 << 20


@dataclass(frozen=True)
class Digest:
    """What the bytes of an object really are."""

    md5: str
    """Hexadecimal, without the `.dir` of an artifact's list of files."""
    sha256: str
    """Hexadecimal."""
    size: int
    """Bytes."""

    def fits(self, oid: str) -> bool:
        """Whether these are the bytes that an id names."""
        return self.md5 == oid.removesuffix(".dir")


class Place:
    """One place that holds objects under their md5: the cache, or a remote."""

    def __init__(self, name: str, odb: Any) -> None:
        self.name = name
        self._odb = odb

    def has(self, oid: str) -> bool:
        """Whether the object is there."""
        return bool(self._told(self._odb.exists, oid))

    def path(self, oid: str) -> str:
        """Where the object lies, or would lie."""
        return str(self._odb.oid_to_path(oid))

    def open(self, oid: str) -> IO[bytes]:
        """Open an object for reading.

        Raises ArtifactError where it is not there.
        """
        try:
            stream: IO[bytes] = self._told(self._odb.fs.open, self.path(oid), "rb")
        except FileNotFoundError:
            raise ArtifactError(f"{self.name} has no object {oid}, at {self.path(oid)}") from None
        return stream

    def read(self, oid: str) -> bytes:
        """The object's bytes."""
        with self.open(oid) as stream:
            return stream.read()

    def md5(self, oid: str) -> str:
        """The md5 of the bytes that are really there, in hexadecimal; for a `.dir` object with that ending."""
        digest = hashlib.md5(usedforsecurity=False)
        with self.open(oid) as stream:
            while block := stream.read(CHUNK):
                digest.update(block)
        return digest.hexdigest() + (".dir" if oid.endswith(".dir") else "")

    def digest(self, oid: str) -> Digest | None:
        """Hash the bytes that are really there; None where there are none."""
        md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
        try:
            opened = self.open(oid)
        except ArtifactError:
            return None
        with opened as stream:
            while block := self._told(stream.read, CHUNK):
                md5.update(block)
                sha256.update(block)
                size += len(block)
        return Digest(md5.hexdigest(), sha256.hexdigest(), size)

    def files(self, artifact: str) -> dict[str, str]:
        """The md5 of each of an artifact's files, by relative path; a single file has the path ''.

        Raises ArtifactError where the artifact's list of files is not there, or not what its id says.
        """
        if not artifact.endswith(".dir"):
            return {"": artifact}
        text = self.read(artifact)
        if hashlib.md5(text, usedforsecurity=False).hexdigest() != artifact.removesuffix(".dir"):
            raise ArtifactError(f"{self.name}: the list of files of {artifact} changed, at {self.path(artifact)}")
        return {item["relpath"]: item["md5"] for item in json.loads(text)}

    def all(self) -> Iterator[str]:
        """The id of every object that is there."""
        yield from self._told(self._odb.all)

    def listed(self) -> set[str]:
        """The ids of all objects that are really there.

        Raises WorkspaceError where the place does not answer, or holds nothing at all.
        """
        if not self._told(self._odb.fs.exists, self._odb.path):
            raise WorkspaceError(
                f"{self.name} holds nothing at {self._odb.path}: nothing was pushed, or its server or disk is not "
                "there. Look at its address with `dvc remote list`; `dvc push` fills it"
            )
        return set(self._told(self._listed))

    def _listed(self) -> list[str]:
        if self._odb.fs.protocol != "local":
            return list(self._odb.all())
        # DVC takes longer to make an id of a path than the disk takes to tell the path.
        return ["".join(path.rsplit("/", 2)[-2:]) for path in self._odb.fs.find(self._odb.path)]

    def size(self, oid: str) -> int:
        """Bytes of an object that is there."""
        return int(self._told(self._odb.fs.size, self.path(oid)) or 0)

    def written(self, oid: str) -> datetime | None:
        """When an object was written; None where the place does not tell."""
        return written_at(self._told(self._odb.fs.info, self.path(oid)))

    def delete(self, oid: str) -> int:
        """Remove an object; returns the bytes it took."""
        size = self.size(oid)
        self._told(self._odb.fs.remove, self.path(oid))
        return size

    def forget_listing(self) -> None:
        """Have DVC list the place anew: it remembers what a remote holds, and would not push again what was removed."""
        from dvc_data.hashfile.db import get_index

        get_index(self._odb).clear()

    def put(self, content: bytes, suffix: str = "") -> str:
        """Put bytes there, unless they are; returns their id, which ends in `suffix` (`.dir` for a list of files)."""
        oid = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
        if not self.has(oid):
            self._told(self._odb.add_bytes, oid, content)
            self._odb.protect(self.path(oid))
        return oid

    def take(self, oid: str, source: "Place") -> None:
        """Replace an object by another place's copy, which must be good; it comes in one step.

        Raises ArtifactError where that copy is damaged too.
        """
        if source.md5(oid) != oid:
            raise ArtifactError(f"{source.name} holds a damaged copy of {oid} as well")
        with source.open(oid) as stream:
            self._told(self._odb.add_bytes, oid, stream)
        self._odb.protect(self.path(oid))

    def _told(self, function: Any, *args: Any) -> Any:
        """Call a file system; what it may raise becomes one message."""
        try:
            return function(*args)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise WorkspaceError(
                f"{self.name} does not answer ({type(error).__name__}: {error}); "
                "look at its address with `dvc remote list` and try again"
            ) from error


class Store:
    """The cache of a project, and its default remote where it has one."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if "_repo" in self.__dict__:
            self._repo.close()

    @cached_property
    def cache(self) -> Place:
        """The local cache."""
        return Place("the DVC cache", self._repo.cache.local)

    @cached_property
    def remote(self) -> Place | None:
        """The default remote, or None where there is none."""
        name = self._repo.config["core"].get("remote")
        return Place(f"DVC remote {name}", self._repo.cloud.get_remote_odb(name)) if name else None

    def places(self) -> list[Place]:
        """The cache, then the remote."""
        return [self.cache, *([self.remote] if self.remote else [])]

    def run_cache(self, place: Place) -> RunCache:
        """The run-cache beside the objects of the cache or the remote."""
        if place is self.cache:
            local = self._repo.cache.legacy
            return RunCache(f"the run-cache of {place.name}", local.fs, self._repo.stage_cache.cache_dir)
        remote = self._repo.cloud.get_remote_odb(hash_name="md5-dos2unix")
        return RunCache(f"the run-cache of {place.name}", remote.fs, remote.fs.join(remote.path, "runs"))

    def files(self, artifact: str) -> Mapping[str, str] | None:
        """The md5 of each of an artifact's files, from the first place that has a good list; None where none has any.

        Raises ArtifactError where the only lists there are, are damaged.
        """
        damaged: ArtifactError | None = None
        for place in self.places():
            try:
                if place.has(artifact):
                    return place.files(artifact)
            except ArtifactError as error:
                damaged = error
        if damaged:
            raise damaged
        return None

    def read(self, artifact: str, file: str) -> bytes | None:
        """One file of an artifact, from the first place that has it; None where none does, or there is no such file.

        Raises ArtifactError where the only copies there are, are not what the id says.
        """
        oid = (self.files(artifact) or {}).get(file)
        holding = [place for place in self.places() if oid and place.has(oid)]
        for place in holding:
            content = place.read(str(oid))
            if hashlib.md5(content, usedforsecurity=False).hexdigest() == oid:
                return content
        if holding:
            raise ArtifactError(
                f"{file} of artifact {artifact} is damaged in {holding[0].name}: it is not {oid} any more; "
                "`stemma verify` says what else is, and what mends it"
            )
        return None

    def read_json(self, artifact: str, file: str) -> Any:
        """One JSON file of an artifact, or None where its bytes are nowhere here."""
        found = self.read(artifact, file)
        return json.loads(found) if found else None

    def push(self, oids: Sequence[str]) -> None:
        """Copy objects of the cache to the default remote.

        Raises WorkspaceError where the remote does not take all of them.
        """
        from dvc_data.hashfile.hash_info import HashInfo

        if self.remote and oids:
            self.remote.forget_listing()
            sent = self._repo.cloud.push([HashInfo("md5", oid) for oid in oids])
            if sent.failed:
                raise WorkspaceError(f"{self.remote.name} did not take {len(sent.failed)} objects, such as {oids[0]}")

    def push_run_cache(self, entries: Iterable[str]) -> None:
        """Copy entries of the run-cache to the default remote, where they are here; named by their paths below it."""
        remote = self._repo.cloud.get_remote_odb(hash_name="md5-dos2unix")
        for entry in entries:
            file = Path(self._repo.stage_cache.cache_dir, entry)
            if file.is_file():
                remote.fs.put_file(str(file), remote.fs.join(remote.path, "runs", entry))

    @cached_property
    def _repo(self) -> Any:
        from dvc.repo import Repo

        return Repo(str(self._root))


def written_at(told: Mapping[str, Any]) -> datetime | None:
    """When a file was written, by what its file system tells of it; None where it does not tell."""
    keys = ("mtime", "LastModified", "last_modified", "updated")
    when = next((told[key] for key in keys if told.get(key) is not None), None)
    if isinstance(when, int | float):
        return datetime.fromtimestamp(when, tz=UTC)
    return when if isinstance(when, datetime) else None
