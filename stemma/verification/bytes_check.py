"""Every byte of a family, in the cache and on the remote, and what the manifests vouch for."""

import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from stemma.errors import ArtifactError, WorkspaceError
from stemma.lineage.family import Member
from stemma.lineage.raw_files import id_of, raw_files
from stemma.lineage.store import Digest, Place
from stemma.verification.fault import Fault, Kind
from stemma.verification.manifest_check import ARTIFACTS, Manifest, check_manifests, read_manifests
from stemma.verification.subject import Say, Subject, short

LISTING = "its list of files"
THREADS = 4
"""Objects hashed side by side; hashing runs outside Python's lock, and a remote answers many at once."""
SAY_EVERY = 2.0
"""Seconds."""


@dataclass(frozen=True)
class Hashed:
    """What hashing a family found."""

    faults: tuple[Fault, ...]
    listings: Mapping[str, Mapping[str, str]]
    """The md5 of each file by its path, by artifact; what is unreadable everywhere is left out."""
    objects: int
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Wanted:
    """Where an object belongs."""

    member: Member
    path: str


def check_bytes(subject: Subject, remote: bool) -> Hashed:
    """Hash every object of a family in the cache, and with `remote` on the DVC remote too.

    Raises WorkspaceError where the remote does not answer, or there is none.
    """
    places = [subject.store.cache, *([_remote(subject)] if remote else [])]
    listings = listings_of(subject, places)
    wanted = wanted_objects(subject, listings)
    cached = _hash(places[0], list(wanted), subject.say)
    good = {oid: digest for oid, digest in cached.items() if digest and digest.fits(oid)}
    manifests = read_manifests(subject.store.cache, listings, good)
    faults = [
        *_raw_faults(subject, listings),
        *_object_faults(subject, places[0], wanted, cached, manifests),
        *check_manifests(subject, listings, good, manifests),
    ]
    if remote:
        listed = places[1].listed()
        found = _hash(places[1], [oid for oid in wanted if oid in listed], subject.say)
        faults += _object_faults(subject, places[1], wanted, found, manifests)
    size = sum(digest.size for digest in good.values())
    return Hashed(tuple(faults), listings, len(wanted), size)


def _remote(subject: Subject) -> Place:
    if subject.store.remote is None:
        raise WorkspaceError(
            "no default DVC remote is configured, so there is no second copy to verify; "
            "`dvc remote add --default NAME URL` names one, `dvc push` fills it"
        )
    return subject.store.remote


def listings_of(subject: Subject, places: Collection[Place]) -> dict[str, dict[str, str]]:
    """Each artifact's list of files, from the first place that has a good one; also of a raw folder that DVC keeps."""
    found = {}
    for member in subject.members:
        if subject.raw.get(member.dvc_id):
            continue
        for place in places:
            if member.derivation is None and not place.has(member.dvc_id):
                continue
            try:
                found[member.dvc_id] = place.files(member.dvc_id)
                break
            except ArtifactError:
                continue
    return found


def wanted_objects(subject: Subject, listings: Mapping[str, Mapping[str, str]]) -> dict[str, Wanted]:
    """Every object of the family, under the member nearest to raw data that holds it."""
    wanted: dict[str, Wanted] = {}
    for member in subject.members:
        if member.derivation or member.dvc_id in listings:
            path = LISTING if member.dvc_id.endswith(".dir") else ""
            wanted.setdefault(member.dvc_id, Wanted(member, path))
        files = {file.path: file.md5 for file in subject.raw.get(member.dvc_id) or () if file.cached}
        for path, oid in (listings.get(member.dvc_id) or files).items():
            wanted.setdefault(oid, Wanted(member, path))
    return wanted


def _hash(place: Place, oids: Collection[str], say: Say) -> dict[str, Digest | None]:
    """Hash objects side by side; what is not there is None."""
    found: dict[str, Digest | None] = {}
    size, said = 0, time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        for oid, digest in zip(oids, pool.map(place.digest, oids), strict=True):
            found[oid] = digest
            size += digest.size if digest else 0
            if time.monotonic() - said > SAY_EVERY:
                said = time.monotonic()
                say(f"{place.name}: {len(found)} of {len(oids)} objects hashed, {size / 1e6:.0f} MB")
    return found


def _raw_faults(subject: Subject, listings: Mapping[str, Mapping[str, str]]) -> Iterator[Fault]:
    for member in subject.members:
        if member.derivation or subject.raw[member.dvc_id] is not None or member.dvc_id in listings:
            continue
        if member.name.startswith(ARTIFACTS):
            # No raw data at all: dvc.lock names an artifact that nobody made, and the check of records says so.
            continue
        record = subject.record_of(member)
        taker = next(other.name for other in subject.members if member.dvc_id in other.parents)
        files = raw_files(subject.root, record.run.commit, member.name)
        held = f"what the commit holds there is {id_of(files)}" if files else "the commit holds nothing there"
        yield Fault(
            Kind.RAW,
            f"{record.place}: {member.name}",
            f"dvc.lock says that {taker} was made from {member.name} {member.dvc_id}; {held}, and the cache lacks it",
            f"where the .dvc files under {member.name} were not committed, commit them and run again; where the commit "
            f"was edited, `dvc exp pull --force {subject.git_remote or 'REMOTE'} {record.run.name}`",
            member.dvc_id,
        )


def _object_faults(
    subject: Subject,
    place: Place,
    wanted: Mapping[str, Wanted],
    found: Mapping[str, Digest | None],
    manifests: Mapping[str, Manifest],
) -> Iterator[Fault]:
    local = place is subject.store.cache
    for oid, want in wanted.items():
        digest = found.get(oid)
        if digest and digest.fits(oid):
            continue
        kinds = (Kind.CACHE_CHANGED, Kind.CACHE_MISSING) if local else (Kind.REMOTE_CHANGED, Kind.REMOTE_MISSING)
        what = f"{want.path or 'the file'} of {short(want.member)}"
        words = f"{place.name} does not hold {what}"
        if digest:
            size = manifests[want.member.dvc_id].size(want.path) if want.member.dvc_id in manifests else None
            short_by = f", {digest.size} bytes of {size}" if size not in {None, digest.size} else ""
            words = f"{place.name} holds other bytes as {what}: md5 {digest.md5}{short_by}"
        remedy = _cache_remedy(subject, want.member, place.path(oid)) if local else _remote_remedy(subject, want.member)
        yield Fault(kinds[digest is None], place.path(oid), words, remedy, want.member.dvc_id, oid=oid)


def _cache_remedy(subject: Subject, member: Member, path: str) -> str:
    remote = subject.store.remote
    fetched = f"--repair fetches a good copy from {remote.name}; without one: " if remote else ""
    return f"{fetched}`rm -f {path}`, then {subject.rebuilt_by(member)}"


def _remote_remedy(subject: Subject, member: Member) -> str:
    return f"--remote --repair puts the cache's copy there, where it is good; otherwise {subject.rebuilt_by(member)}"
