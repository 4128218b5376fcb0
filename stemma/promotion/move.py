"""Moving an alias: one compare-and-set in Git, then what follows it.

The order is what makes a kill harmless. Files are laid out before the alias moves, the alias moves together with its
history, and the link that serving reads and MLflow follow; what a kill left undone, the next act finishes.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stemma.errors import WorkspaceError
from stemma.lineage.chain import ChainMovedError, Document, Link
from stemma.lineage.forgotten import FORGOTTEN
from stemma.lineage.index import Index
from stemma.lineage.names import Model
from stemma.lineage.registering import catch_up
from stemma.lineage.registry import CHAMPION, PREVIOUS, TRIES, Registry, Version
from stemma.lineage.served import link_of
from stemma.lineage.sharing import SilentRemoteError, hand_on, take_over
from stemma.lineage.store import Store
from stemma.promotion.settings import PromotionConfig
from stemma.serving.copies import lay_out, settle


@dataclass(frozen=True)
class Desk:
    """What an act works with."""

    root: Path
    index: Index
    store: Store
    registry: Registry
    config: PromotionConfig
    verify: Callable[[Model], None]
    """Re-hashes a model's family, here and on the remote; raises where a byte or a record is wrong or missing."""
    check_loadable: Callable[[Path], None]
    """Raises where plain transformers would not load the model in a folder."""
    follow: Callable[[], str | None]
    """Makes MLflow follow; returns why it does not."""
    asked_by: str = ""
    """Who wants the act, where that is not whoever runs this: a person at Prefect's form, for whom a worker acts."""

    def named(self) -> Document:
        """Who wants the act, as it stands on record."""
        return {"asked_by": self.asked_by} if self.asked_by else {}


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


def hear(root: Path, registry: Registry, urgent: bool = False) -> None:
    """Take over what other clones did, before anything is looked up; what is urgent does not wait for a silent remote.

    Raises SilentRemoteError where it waits.
    """
    try:
        catch_up(root, registry)
        take_over(root, FORGOTTEN)
    except SilentRemoteError:
        if not urgent:
            raise


def begin(desk: Desk, reason: str) -> Link | None:
    """Finish what a killed act left; returns the newest act.

    Raises WorkspaceError where the act has no reason that can be written down.
    """
    if not reason.strip():
        raise WorkspaceError('an act needs a reason that others can read later: --reason "…"')
    try:
        reason.encode()
    except UnicodeEncodeError:
        raise WorkspaceError("the reason is not UTF-8 text, so nobody could read it later; type it anew") from None
    settle(desk.root, desk.index, desk.store, desk.registry)
    return desk.registry.head()


def move(desk: Desk, head: Link | None, alias: str, version: Version, act: Document) -> Moved:
    """Move an alias to a version, and let everything follow.

    Raises ChainMovedError where somebody else moved the alias since `head`, ArtifactError where the version's bytes
    are not to be had as they were, or a version that is promoted cannot be loaded; nothing is done then.
    """
    seen = desk.registry.at(head).aliases.get(alias)
    folder = lay_out(desk.root, desk.index, desk.store, version)
    if act["act"] == "promote":
        desk.check_loadable(folder)
    try:
        with desk.registry.alone():
            before, link = _compare_and_set(desk, head, alias, version, act)
            if act["act"] == "rollback":
                # What serves comes first; a Git remote may take its time.
                settle(desk.root, desk.index, desk.store, desk.registry)
            notes = _hand_on(desk, before, link)
    except ChainMovedError:
        with suppress(WorkspaceError):
            hear(desk.root, desk.registry)
        settle(desk.root, desk.index, desk.store, desk.registry)
        raise
    return _follow(desk, alias, seen, version, notes)


def note(desk: Desk, head: Link | None, title: str, act: Document) -> None:
    """Put an act on record that moves nothing.

    Raises ChainMovedError where somebody else was faster, WorkspaceError where the Git remote does not answer; then
    nothing is on record.
    """
    with desk.registry.alone():
        link = desk.registry.move(head, title, act)
        try:
            hand_on(desk.root, desk.registry.ref)
        except WorkspaceError:
            desk.registry.take_back(link, head)
            raise
    desk.follow()


def stay(desk: Desk, alias: str, version: Version) -> Moved:
    """Tell that a version has the alias already, and finish what a killed act left."""
    lay_out(desk.root, desk.index, desk.store, version)
    return _follow(desk, alias, version.number, version, [])


def _compare_and_set(
    desk: Desk, head: Link | None, alias: str, version: Version, act: Document
) -> tuple[Link | None, Link]:
    """Append the act; returns the act before it and the act.

    Another run's registration does not stand in the way; another move of the same alias does.
    """
    seen = desk.registry.at(head).aliases.get(alias)
    moves = {alias: version.number}
    if alias == CHAMPION and seen:
        moves[PREVIOUS] = seen
    title = f"{act['act']} {desk.registry.model}/{version.number} to {alias}"
    for _ in range(TRIES):
        try:
            link = desk.registry.move(head, title, {**act, "moves": moves, "from": seen, "to": version.number})
        except ChainMovedError:
            head = desk.registry.head()
            now = desk.registry.at(head).aliases.get(alias)
            if now != seen:
                raise ChainMovedError(
                    f"{alias} moved to {desk.registry.model}/{now} while this was checked, so nothing was done; "
                    f"look at `stemma history {alias}`, and try again if it should move on"
                ) from None
        else:
            return head, link
    raise WorkspaceError(f"{desk.registry.ref} moves all the time; try again when fewer runs end at once")


def _hand_on(desk: Desk, before: Link | None, link: Link) -> list[str]:
    """Push the act; where another clone was faster the act is taken back, where the remote is down it is told."""
    try:
        hand_on(desk.root, desk.registry.ref)
    except ChainMovedError:
        desk.registry.take_back(link, before)
        raise
    except WorkspaceError as error:
        return [f"other clones do not see this yet, push {desk.registry.ref} later: {error}"]
    return []


def _follow(desk: Desk, alias: str, before: int | None, version: Version, notes: list[str]) -> Moved:
    notes = [*notes, *settle(desk.root, desk.index, desk.store, desk.registry)]
    unseen = desk.follow()
    if unseen:
        notes.append(f"MLflow does not follow yet, `stemma reconcile` makes it: {unseen}")
    name = desk.registry.model
    served = link_of(desk.root, name, alias)
    return Moved(alias, f"{name}/{before}" if before else "", f"{name}/{version.number}", served, tuple(notes))
