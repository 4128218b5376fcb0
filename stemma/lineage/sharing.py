"""A ref that several clones write: taken over from the Git remote before an act, handed on after it.

A project is shared where it has both a Git remote and a default DVC remote. A plain clone has a Git remote too, and its
acts are nobody else's.
"""

from pathlib import Path

from stemma.errors import WorkspaceError
from stemma.lineage.chain import ChainMovedError
from stemma.lineage.dvc import default_remote
from stemma.lineage.git import Git

SECONDS_TO_ANSWER = 15.0
"""How long a Git remote may take to say what it has."""
SECONDS_TO_MOVE = 120.0
"""How long a fetch or push of one ref may take."""


class SilentRemoteError(WorkspaceError):
    """The Git remote does not answer."""


class DivergedError(WorkspaceError):
    """A ref and its copy on the Git remote both have acts that the other lacks."""

    def __init__(self, message: str, theirs: str) -> None:
        super().__init__(message)
        self.theirs = theirs
        """The commit of the remote's copy, which was fetched."""


def shared_through(root: Path) -> str | None:
    """The Git remote through which a project is shared, or None where it is not."""
    remote = Git(root).remote()
    return remote if remote and default_remote(root) else None


def take_over(root: Path, ref: str) -> None:
    """Bring a ref up to the remote's, where the project is shared and the remote is ahead.

    Raises SilentRemoteError where the remote does not answer, DivergedError where both have what the other lacks.
    """
    remote = shared_through(root)
    if remote is None:
        return
    git = Git(root)
    try:
        theirs = git.run("ls-remote", remote, ref, timeout=SECONDS_TO_ANSWER).partition("\t")[0]
    except WorkspaceError as error:
        raise SilentRemoteError(
            f"Git remote {remote} does not answer, so what others did is not known; try again when it does: {error}"
        ) from None
    ours = git.run("for-each-ref", "--format=%(objectname)", ref)
    if not theirs or theirs == ours:
        return
    git.run("fetch", "--quiet", remote, ref, timeout=SECONDS_TO_MOVE)
    if not ours or is_ancestor(git, ours, theirs):
        try:
            git.run("update-ref", "-m", f"taken over from {remote}", ref, theirs, ours)
        except WorkspaceError:
            # Another process of this clone was faster.
            if git.run("for-each-ref", "--format=%(objectname)", ref) != theirs:
                raise
    elif not is_ancestor(git, theirs, ours):
        raise DivergedError(
            f"{ref} and the copy on Git remote {remote} went different ways: both have acts that the other lacks. "
            f"Look at both with `git log {ours[:10]} {theirs[:10]}`; "
            f"`git fetch {remote} +{ref}:{ref}` takes the remote's, and the acts of this clone are to be done again",
            theirs,
        )


def hand_on(root: Path, ref: str) -> None:
    """Push a ref, where the project is shared.

    Raises ChainMovedError where the remote's copy moved meanwhile, WorkspaceError where the remote does not answer.
    """
    remote = shared_through(root)
    if remote is None:
        return
    git = Git(root)
    try:
        git.run("push", "--quiet", remote, f"{ref}:{ref}", timeout=SECONDS_TO_MOVE)
    except WorkspaceError:
        theirs = git.run("ls-remote", remote, ref, timeout=SECONDS_TO_ANSWER).partition("\t")[0]
        if theirs and not is_ancestor(git, theirs, ref):
            raise ChainMovedError(f"somebody else moved {ref} on Git remote {remote} meanwhile") from None
        raise


def is_ancestor(git: Git, old: str, new: str) -> bool:
    """Whether a commit is among the ancestors of another; one that is not here is none."""
    try:
        return git.run("rev-list", "--count", "--max-count=1", f"{new}..{old}") == "0"
    except WorkspaceError:
        return False
