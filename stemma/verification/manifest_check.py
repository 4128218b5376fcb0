"""What each artifact's manifest vouches for: its own files, and the manifests of what it was made from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stemma.lineage.dvc import LockEntry
from stemma.lineage.family import Member
from stemma.lineage.store import Digest, Place
from stemma.stage.manifest import MANIFEST
from stemma.verification.fault import Fault, Kind
from stemma.verification.subject import Subject, short

ARTIFACTS = "artifacts/"


@dataclass(frozen=True)
class Manifest:
    """A manifest as it was read; `content` is None where it is not one."""

    sha256: str
    content: dict[str, Any] | None

    def size(self, path: str) -> int | None:
        """Bytes of a file, as the manifest says."""
        size = (((self.content or {}).get("files") or {}).get(path) or {}).get("size")
        return size if isinstance(size, int) else None


def read_manifests(
    cache: Place, listings: Mapping[str, Mapping[str, str]], good: Mapping[str, Digest]
) -> dict[str, Manifest]:
    """The manifests by artifact, of those whose bytes are in the cache and right."""
    oids = {artifact: files[MANIFEST] for artifact, files in listings.items() if files.get(MANIFEST) in good}
    return {artifact: Manifest(good[oid].sha256, _content(cache.read(oid))) for artifact, oid in oids.items()}


def check_manifests(
    subject: Subject,
    listings: Mapping[str, Mapping[str, str]],
    good: Mapping[str, Digest],
    manifests: Mapping[str, Manifest],
) -> Iterator[Fault]:
    """Compare manifests with the bytes, with each other and with what the record says an artifact was made from."""
    for member in subject.members:
        files, entry = listings.get(member.dvc_id), member.derivation.entry if member.derivation else None
        if entry is None or files is None or "" in files:
            continue
        if MANIFEST not in files:
            yield _fault(subject, member, f"{short(member)} has no {MANIFEST}, so nothing vouches for it")
        elif manifest := manifests.get(member.dvc_id):
            for words in _own_faults(member, files, good, manifest.content):
                yield _fault(subject, member, words)
            if manifest.content is not None:
                yield from _edge_faults(subject, member, entry, manifest.content, manifests)
        yield from _size_fault(subject, member, entry, files, good)


def _own_faults(
    member: Member, files: Mapping[str, str], good: Mapping[str, Digest], content: dict[str, Any] | None
) -> Iterator[str]:
    """What a manifest says wrongly of its own artifact."""
    if content is None or not isinstance(content.get("files"), dict):
        yield f"{MANIFEST} of {short(member)} is not a manifest"
        return
    if content.get("stage") != member.name:
        yield f"{MANIFEST} of {short(member)} is that of stage {content.get('stage')}"
    for path in sorted({*files, *content["files"]} - {MANIFEST}):
        recorded, digest = content["files"].get(path), good.get(files.get(path, ""))
        if recorded is None or path not in files:
            yield f"{short(member)} and its {MANIFEST} do not list the same files: {path} is in one of them only"
        elif digest and (digest.sha256, digest.size) != (recorded.get("sha256"), recorded.get("size")):
            yield f"{path} of {short(member)} has sha256 {digest.sha256}, its {MANIFEST} says {recorded.get('sha256')}"


def _edge_faults(
    subject: Subject, member: Member, entry: LockEntry, content: dict[str, Any], manifests: Mapping[str, Manifest]
) -> Iterator[Fault]:
    """Inputs for which a manifest vouches otherwise than the record."""
    deps = {dep["path"]: dep["md5"] for dep in entry.get("deps", [])}
    named = {path.removeprefix(ARTIFACTS): md5 for path, md5 in deps.items() if path.startswith(ARTIFACTS)}
    vouched = content.get("inputs") or {}
    for name in sorted({*named, *vouched}):
        parent = named.get(name, "")
        manifest = manifests.get(parent)
        if name not in named or name not in vouched:
            source = MANIFEST if name in vouched else "the record"
            words = f"only {source} says that {short(member)} was made from {name}"
        elif manifest and manifest.sha256 != vouched[name]:
            words = (
                f"the record says that {short(member)} was made from {name} {parent[:10]}, whose {MANIFEST} has sha256 "
                f"{manifest.sha256}; its own {MANIFEST} names {vouched[name]}"
            )
        else:
            continue
        yield _record_fault(subject, member, words, Kind.EDGE, parent if parent in subject.family.members else "")


def _size_fault(
    subject: Subject, member: Member, entry: LockEntry, files: Mapping[str, str], good: Mapping[str, Digest]
) -> Iterator[Fault]:
    """The size and number of files that dvc.lock tells, against what is there."""
    out = next(out for out in entry["outs"] if out["md5"] == member.dvc_id)
    if "nfiles" not in out or not all(oid in good for oid in files.values()):
        return
    there = (sum(good[oid].size for oid in files.values()), len(files))
    if (out.get("size"), out["nfiles"]) != there:
        words = (
            f"dvc.lock says {out.get('size')} bytes in {out['nfiles']} files of {short(member)}; "
            f"there are {there[0]} in {there[1]}"
        )
        yield _record_fault(subject, member, words, Kind.LOCK)


def _fault(subject: Subject, member: Member, words: str) -> Fault:
    return Fault(Kind.MANIFEST, f"{member.dvc_id}/{MANIFEST}", words, subject.rebuilt_by(member), member.dvc_id)


def _record_fault(subject: Subject, member: Member, words: str, kind: Kind, parent: str = "") -> Fault:
    """A record that does not fit the bytes; with `parent`, on the edge from there to the member."""
    record = subject.record_of(member)
    remedy = (
        f"the commit was edited, or the artifact replaced: compare the Git remote's copy of experiment "
        f"{record.run.name}; {subject.rebuilt_by(member)}"
    )
    artifact, child = (parent, member.dvc_id) if parent else (member.dvc_id, "")
    return Fault(kind, f"{record.place}: dvc.lock", words, remedy, artifact, child)


def _content(text: bytes) -> dict[str, Any] | None:
    try:
        loaded = json.loads(text)
    except ValueError:
        return None
    return loaded if isinstance(loaded, dict) else None
