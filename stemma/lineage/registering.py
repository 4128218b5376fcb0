"""Registering a run's policy where several clones register: each takes over what others did, then hands on its own."""

from pathlib import Path

from stemma.errors import WorkspaceError
from stemma.lineage.chain import ChainMovedError
from stemma.lineage.git import Git
from stemma.lineage.registry import MODELS, TRIES, Registry, Version
from stemma.lineage.sharing import (
    SECONDS_TO_ANSWER,
    DivergedError,
    SilentRemoteError,
    hand_on,
    shared_through,
    take_over,
)
from stemma.lineage.start import fetch_record

REJOINING = "refs/stemma/rejoining/"


def register_shared(root: Path, model: str, run: str, commit: str, stage: str, artifact: str) -> tuple[Version, str]:
    """Register a run's policy; returns the version, and why other clones do not see it yet, or empty.

    Raises WorkspaceError where this clone and the Git remote went different ways, or the ref moves all the time.
    """
    registry = Registry(root, model)
    for _ in range(TRIES):
        with registry.alone():
            try:
                _catch_up(root, registry)
            except SilentRemoteError as error:
                return registry.register(run, commit, stage, artifact), str(error)
            before = registry.head()
            version = registry.register(run, commit, stage, artifact)
            try:
                hand_on(root, registry.ref)
            except ChainMovedError:
                newest = registry.head()
                if newest and newest != before:
                    registry.take_back(newest, before)
                continue
            except WorkspaceError as error:
                return version, str(error)
            return version, ""
    raise WorkspaceError(f"{registry.ref} moves all the time on the Git remote; try again when fewer runs end at once")


def catch_up_all(root: Path) -> None:
    """Take over every run and every registered model that the Git remote has, where the project is shared.

    Raises SilentRemoteError where the remote does not answer, DivergedError as catch_up does.
    """
    remote = shared_through(root)
    if remote is None:
        return
    unheard = fetch_record(root)
    if unheard:
        raise SilentRemoteError(
            f"Git remote {remote} does not answer, so what others did is not known; try again when it does: {unheard}"
        )
    listed = Git(root).run("ls-remote", remote, f"{MODELS}*", timeout=SECONDS_TO_ANSWER)
    for line in listed.splitlines():
        catch_up(root, Registry(root, line.split("\t")[1].removeprefix(MODELS)))


def catch_up(root: Path, registry: Registry) -> None:
    """Take over what others did to a registered model.

    Policies that were registered here while the remote was silent are registered again after the others'; their numbers
    may change, for no alias points to them. Raises SilentRemoteError where the remote does not answer, DivergedError
    where an alias moved here that others do not know of.
    """
    with registry.alone():
        _catch_up(root, registry)


def _catch_up(root: Path, registry: Registry) -> None:
    try:
        take_over(root, registry.ref)
    except DivergedError as error:
        git = Git(root)
        theirs = set(git.run("rev-list", "--first-parent", error.theirs).split())
        mine = [link for link in registry.acts() if link.commit not in theirs]
        if any(link.act["act"] != "register" for link in mine):
            raise
        rejoined = f"{REJOINING}{registry.model}"
        git.run("update-ref", rejoined, error.theirs)
        again = Registry(root, registry.model, rejoined)
        for link in mine:
            version = link.act["version"]
            again.register(version["run"], version["commit"], version["stage"], version["artifact"])
        git.run("update-ref", "-m", "rejoined", registry.ref, git.run("rev-parse", rejoined), mine[-1].commit)
        git.run("update-ref", "-d", rejoined)
