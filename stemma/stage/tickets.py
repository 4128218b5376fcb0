"""Who holds the slots of this machine and who waits for them: whose run began first is first served.

One folder a machine, and in it one file a process: its ticket, which the process holds a lock on. Whatever ends the
process, `kill -9` included, lets go of the lock at once, and with it of all that the ticket holds. Tickets are read and
written by one process at a time.
"""

import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from stemma.errors import WorkspaceError
from stemma.stage.locks import is_there, lock
from stemma.stage.offer import Offer
from stemma.stage.resources import GIB, Needs

FOLDER_VARIABLE = "STEMMA_SLOTS_FOLDER"
ROOT = Path("/tmp")  # noqa: S108 -- the folder in it is checked
"""Where the folder lies; not in XDG_RUNTIME_DIR, which a service and a terminal of one person have each their own."""
SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_TO_COME = 60.0
"""How long a run that has just begun keeps its place before it asks: of two that begin at once, the one that was queued
first goes first, though the other may come a moment sooner."""
SUFFIX = ".ticket"


@dataclass(frozen=True)
class Ticket:
    """What one process holds or waits for."""

    run: str
    since: float
    """When the run began or was to begin, in seconds of the clock; only the order counts."""
    stage: str = ""
    """Empty for a run that has not asked for anything yet."""
    device: str = ""
    needed: int = 0
    """How many slots it needs."""
    memory: int = 0
    """Bytes that it needs."""
    may_take: tuple[str, ...] = ()
    """The slots that would serve it; none where older code wrote the ticket, and did not say."""
    has: bool = False
    """Whether it has what it needs."""
    holds: tuple[str, ...] = ()
    """The slots that it has."""
    when: str = ""
    """When it got them, for people."""
    comes_until: float = 0.0
    """Until when a place is kept for a run that has not asked yet, in seconds of CLOCK_MONOTONIC."""
    number: int = 0
    """Higher than of every ticket before it."""

    def is_before(self, other: "Ticket") -> bool:
        """Whether it is served first: it waits for the same, or will in a moment, and its run began earlier."""
        if self.has or (self.since, self.number) >= (other.since, other.number):
            return False
        if not self.stage:
            return other.needed > 0 and time.monotonic() < self.comes_until
        return self._wants_slots_of(other) or self.memory > 0 < other.memory

    def _wants_slots_of(self, other: "Ticket") -> bool:
        """Whether both need slots, and one slot at least would serve either."""
        untold = not self.may_take or not other.may_take
        shared = self.device == other.device and (untold or not set(self.may_take).isdisjoint(other.may_take))
        return shared and self.needed > 0 < other.needed


@contextmanager
def coming(run: str, since: float) -> Iterator[None]:
    """Keep a place in the line for a run that has just begun, until a stage of it asks."""
    folder = machine_folder()
    with _held(folder, Ticket(run, since, comes_until=time.monotonic() + SECONDS_TO_COME)):
        yield


@contextmanager
def taken(
    stage: str, run: str, since: float, needs: Needs, offer: Offer, say: Callable[[str], None]
) -> Iterator[tuple[str, ...]]:
    """Hold what a stage needs of this machine, waiting for whoever holds it; yields the slots.

    `say` is told whom it waits for.
    """
    folder, told = machine_folder(), ""
    asked = Ticket(
        run, min(since, time.time()), stage, needs.device, needs.slots, needs.memory, may_take=offer.fitting(needs)
    )
    with _held(folder, asked) as file:
        while True:
            own, why = _serve(folder, file, needs, offer)
            if own.has:
                break
            if why != told:
                say(why)
                told = why
            time.sleep(SECONDS_BETWEEN_LOOKS)
        yield own.holds


def blocked(own: Ticket, others: Sequence[Ticket], needs: Needs, offer: Offer) -> str:
    """Why a ticket cannot be served yet, in words for people; empty where it can."""
    holders = [other for other in others if other.has]
    before = [other for other in others if other.is_before(own)]
    if len(_free(holders, needs, offer)) < needs.slots:
        mine = [other for other in holders if other.device == offer.device and set(other.holds) & set(offer.slots)]
        return f"waits for {_slots(needs)}: {'; '.join(map(_holder, mine))}"
    if needs.memory and sum(other.memory for other in holders) + needs.memory > offer.memory:
        mine = [other for other in holders if other.memory]
        return (
            f"waits for {needs.memory / GIB:g} of the machine's {offer.memory / GIB:.1f} GiB of memory: "
            f"{'; '.join(map(_holder, mine))}"
        )
    if before:
        return f"waits for {_slots(needs)}: run {min(before, key=lambda one: (one.since, one.number)).run} comes first"
    return ""


def machine_folder() -> Path:
    """The folder of this machine's tickets, made where it is missing.

    Raises WorkspaceError where somebody else could write there, though no variable names it, or where this user cannot.
    """
    told = os.environ.get(FOLDER_VARIABLE)
    folder = Path(told) if told else ROOT / f"stemma-slots-{os.getuid()}"
    with _telling_who_may_write(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    if told or (stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022):
        return folder
    raise WorkspaceError(
        f"{folder}, where the slots of this machine are kept, is not a folder that you alone can write; "
        f"remove it, or name another in {FOLDER_VARIABLE}"
    )


def alive(folder: Path) -> list[Ticket]:
    """The tickets of all processes that live; what dead ones left is removed. Nobody else may be at it meanwhile."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with _open(path) as stream:
            if _is_free(stream):
                path.unlink()
            else:
                found.append(_read(stream))
    return found


@contextmanager
def _held(folder: Path, ticket: Ticket) -> Iterator[IO[str]]:
    """Hold a ticket with the next number, and remove it at the end; the place that was kept for its run is given up."""
    with _alone(folder):
        there = alive(folder)
        ticket = replace(ticket, number=1 + max((other.number for other in there), default=0))
        stream = _new(_path(folder, ticket))
        fcntl.flock(stream, fcntl.LOCK_EX)
        _write(stream, ticket)
        for other in there:
            if other.run == ticket.run and not other.stage:
                _path(folder, other).unlink()
    with stream:
        try:
            yield stream
        finally:
            with _alone(folder):
                # A place that was given up is gone, and another process may have its number by now.
                if is_there(_path(folder, ticket), stream):
                    _path(folder, ticket).unlink()


def _serve(folder: Path, file: IO[str], needs: Needs, offer: Offer) -> tuple[Ticket, str]:
    """Give a ticket what it needs, if it can be served now; the ticket as it then is, or why it waits."""
    with _alone(folder):
        own = _read(file)
        others = [other for other in alive(folder) if other.number != own.number]
        why = blocked(own, others, needs, offer)
        if not why:
            free = _free([other for other in others if other.has], needs, offer)
            own = replace(own, has=True, holds=free[: needs.slots], when=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
            _write(file, own)
        return own, why


def _free(holders: Sequence[Ticket], needs: Needs, offer: Offer) -> tuple[str, ...]:
    busy = {slot for other in holders if other.device == offer.device for slot in other.holds}
    return tuple(slot for slot in offer.fitting(needs) if slot not in busy)


def _slots(needs: Needs) -> str:
    if needs.slots == 0:
        return "its turn"
    kind = "GPU" if needs.device == "cuda" else "CPU"
    return f"a {kind} slot" if needs.slots == 1 else f"{needs.slots} {kind} slots"


def _holder(ticket: Ticket) -> str:
    memory = f" with {ticket.memory / GIB:g} GiB" if ticket.memory else ""
    return f"taken by run {ticket.run}, stage {ticket.stage}{memory}, since {ticket.when}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    file = folder / "lock"
    with _telling_who_may_write(folder):
        with suppress(FileExistsError):
            _new(file).close()
        with lock(file):
            yield


@contextmanager
def _telling_who_may_write(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise WorkspaceError(
            f"{folder}, where the slots of this machine are kept, cannot be used: {error}. Have its owner give it to a "
            f"group of all who train here: chgrp -R GROUP {folder}; chmod 660 {folder}/*; chmod 2770 {folder}; or name "
            f"another in {FOLDER_VARIABLE}"
        ) from error


def _is_free(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _path(folder: Path, ticket: Ticket) -> Path:
    return folder / f"{ticket.number:09}{SUFFIX}"


def _new(path: Path) -> IO[str]:
    """Make a file that whoever may write in its folder may write."""
    stream = _open(path, os.O_CREAT | os.O_EXCL)
    if path.parent.stat().st_mode & stat.S_IWGRP:
        os.fchmod(stream.fileno(), 0o660)
    return stream


def _open(path: Path, flags: int = 0) -> IO[str]:
    return os.fdopen(os.open(path, flags | os.O_RDWR | os.O_NOFOLLOW, 0o600), "r+", encoding="utf-8")


def _read(stream: IO[str]) -> Ticket:
    stream.seek(0)
    told: dict[str, Any] = json.load(stream)
    # A clone with other code may tell more or less.
    known = {field.name: told[field.name] for field in fields(Ticket) if field.name in told}
    return Ticket(**{**known, "holds": tuple(told["holds"]), "may_take": tuple(told.get("may_take", ()))})


def _write(stream: IO[str], ticket: Ticket) -> None:
    stream.seek(0)
    stream.truncate()
    json.dump(asdict(ticket), stream)
    stream.flush()
