"""Moving an alias: one compare-and-set in Git, then what follows it.

The order is what makes a kill harmless. Files are laid out before the alias moves, the alias moves together with its
history, and the link that serving reads and MLflow follow; what a kill left undone, the next act finishes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stemma.errors import WorkspaceError
from stemma.lineage.chain import ChainMovedError, Document, Link
from stemma.lineage.index import Index
from stemma.lineage.names import Model
from stemma.lineage.registry import Registered, Registry, Version
from stemma.lineage.served import link_of
from stemma.lineage.sharing import SilentRemoteError, hand_on, take_over
from stemma.lineage.store import Store
from stemma.promotion.serving import lay_out, settle
from stemma.promotion.settings import PromotionConfig

CHAMPION = "champion"
PREVIOUS = "previous"
"""Where the champion was before its last move."""


@dataclass(frozen=True)
class Desk:
    """What an act works with."""

    root: Path
    index: Index
    store: Store
    registry: Registry
    config: PromotionConfig
    verify: Callable[[Model, bool], None]
    """Re-hashes a model's family, with True on the remote too; raises where a byte or a record is wrong or missing."""
    follow: Callable[[], str | None]
    """Makes MLflow follow; returns why it does not."""


@dataclass(frozen=True)
class Moved:
    """What an act did."""

    alias: str
    before: str
    """The version that had the alias; empty where none had."""
    after: str
    served: Path
    """The link that serving reads."""
    notes: tuple[str, ...]
    """What is left to do, and why."""


def begin(desk: Desk, reason: str, urgent: bool = False) -> Link | None:
    """Take over what other clones did and finish what a killed act left; returns the newest act.

    What is urgent does not wait for a Git remote that does not answer. Raises WorkspaceError where the act has no
    reason, SilentRemoteError where it waits.
    """
    if not reason.strip():
        raise WorkspaceError('an act needs a reason that others can read later: --reason "…"')
    try:
        take_over(desk.root, desk.registry.ref)
    except SilentRemoteError:
        if not urgent:
            raise
    head = desk.registry.head()
    settle(desk.root, desk.store, desk.registry.at(head))
    return head


def move(desk: Desk, head: Link | None, alias: str, version: Version, act: Document) -> Moved:
    """Move an alias to a version, and let everything follow.

    Raises ChainMovedError where somebody else moved the alias since `head`; nothing is done then.
    """
    before = desk.registry.at(head)
    lay_out(desk.root, desk.store, version.artifact)
    link = _compare_and_set(desk, head, alias, version, act)
    notes = _hand_on(desk, head, link)
    return _follow(desk, before, alias, version, notes)


def note(desk: Desk, head: Link | None, title: str, act: Document) -> None:
    """Put an act on record that moves nothing.

    Raises ChainMovedError where somebody else was faster, WorkspaceError where the Git remote does not answer; then
    nothing is on record.
    """
    link = desk.registry.move(head, title, act)
    try:
        hand_on(desk.root, desk.registry.ref)
    except WorkspaceError:
        desk.registry.take_back(link, head)
        raise
    desk.follow()


def stay(desk: Desk, alias: str, version: Version) -> Moved:
    """Tell that a version has the alias already; what a killed act left is finished by now."""
    return _follow(desk, desk.registry.read(), alias, version, [])


def _compare_and_set(desk: Desk, head: Link | None, alias: str, version: Version, act: Document) -> Link:
    """Another run's registration does not stand in the way; another move of the same alias does."""
    seen = desk.registry.at(head).aliases.get(alias)
    while True:
        moves = {alias: version.number}
        if alias == CHAMPION and seen:
            moves[PREVIOUS] = seen
        title = f"{act['act']} {desk.registry.model}/{version.number} to {alias}"
        try:
            return desk.registry.move(head, title, {**act, "moves": moves, "from": seen, "to": version.number})
        except ChainMovedError:
            head = desk.registry.head()
            now = desk.registry.at(head).aliases.get(alias)
            if now != seen:
                raise ChainMovedError(
                    f"{alias} moved to {desk.registry.model}/{now} while this was checked, so nothing was done; "
                    f"look at `stemma history {alias}`, and try again if it should move on"
                ) from None


def _hand_on(desk: Desk, head: Link | None, link: Link) -> list[str]:
    """Push the act; where another clone was faster the act is taken back, where the remote is down it is told."""
    try:
        hand_on(desk.root, desk.registry.ref)
    except ChainMovedError:
        desk.registry.take_back(link, head)
        raise
    except WorkspaceError as error:
        return [f"other clones do not see this yet, push {desk.registry.ref} later: {error}"]
    return []


def _follow(desk: Desk, before: Registered, alias: str, version: Version, notes: list[str]) -> Moved:
    settle(desk.root, desk.store, desk.registry.read())
    unseen = desk.follow()
    if unseen:
        notes = [*notes, f"MLflow does not follow yet, `stemma reconcile` makes it: {unseen}"]
    old = before.aliases.get(alias)
    name = desk.registry.model
    return Moved(
        alias, f"{name}/{old}" if old else "", f"{name}/{version.number}", link_of(desk.root, name, alias), tuple(notes)
    )
