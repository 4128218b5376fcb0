"""A ref that several clones write: taken over from the Git remote before an act, handed on after it."""

from pathlib import Path

from stemma.errors import WorkspaceError
from stemma.lineage.chain import ChainMovedError
from stemma.lineage.git import Git


def take_over(root: Path, ref: str) -> None:
    """Bring a ref up to the remote's, where there is a remote and it is ahead.

    Raises WorkspaceError where the remote does not answer, or both sides have what the other lacks.
    """
    git = Git(root)
    remote = git.remote()
    if remote is None:
        return
    theirs = git.run("ls-remote", remote, ref).partition("\t")[0]
    ours = git.run("for-each-ref", "--format=%(objectname)", ref)
    if not theirs or theirs == ours:
        return
    git.run("fetch", "--quiet", remote, ref)
    if not ours or _is_ancestor(git, ours, theirs):
        git.run("update-ref", "-m", f"taken over from {remote}", ref, theirs, ours)
    elif not _is_ancestor(git, theirs, ours):
        raise WorkspaceError(
            f"{ref} and the copy on Git remote {remote} went different ways: both have acts that the other lacks. "
            f"Look at both with `git log {ours[:10]} {theirs[:10]}`; "
            f"`git fetch {remote} +{ref}:{ref}` takes the remote's, and the acts of this clone are to be done again"
        )


def hand_on(root: Path, ref: str) -> bool:
    """Push a ref, where there is a remote; returns whether there is one.

    Raises ChainMovedError where the remote's copy moved meanwhile, WorkspaceError where the remote does not answer.
    """
    git = Git(root)
    remote = git.remote()
    if remote is None:
        return False
    try:
        git.run("push", "--quiet", remote, f"{ref}:{ref}")
    except WorkspaceError as error:
        if "rejected" in str(error):
            raise ChainMovedError(f"somebody else moved {ref} on Git remote {remote} meanwhile") from None
        raise
    return True


def _is_ancestor(git: Git, old: str, new: str) -> bool:
    return git.run("rev-list", "--count", "--max-count=1", f"{new}..{old}") == "0"
