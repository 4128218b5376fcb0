"""Git's objects as bytes, and what a Git remote says it holds: what an audit compares."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from stemma.errors import WorkspaceError
from stemma.lineage.git import Git, parse_batch


def read_objects(root: Path, names: Sequence[str]) -> dict[str, bytes | None]:
    """The bytes of commits and files, each named as `commit` or `commit:path`.

    None where there is no such object, where it is a folder, or where Git's own copy of it is damaged.
    """
    listed = "".join(f"{name}\n" for name in names).encode()
    done = subprocess.run(["git", "cat-file", "--batch"], cwd=root, input=listed, capture_output=True, check=False)
    if done.returncode == 0:
        objects = parse_batch(names, done.stdout)
        return {name: found[1] if found and found[0] in {"blob", "commit"} else None for name, found in objects.items()}
    if len(names) == 1:
        return {names[0]: None}
    return {name: found for name in names for found in read_objects(root, [name]).values()}


def files_under(root: Path, commit: str, *paths: str) -> list[str]:
    """The files that a commit holds at paths or below them, as paths from the top; none where it is not there."""
    try:
        listed = Git(root).run("ls-tree", "-r", "-z", "--name-only", commit, "--", *paths)
    except WorkspaceError:
        return []
    return [name for name in listed.split("\0") if name]


def local_refs(root: Path, *patterns: str) -> dict[str, str]:
    """The commits of the refs that match, by name."""
    listed = Git(root).run("for-each-ref", "--format=%(refname) %(objectname)", *patterns)
    return dict(line.split(" ") for line in listed.splitlines())


def remote_refs(root: Path, remote: str, *patterns: str) -> dict[str, str]:
    """The commits of the refs that match on a Git remote, by name.

    Raises WorkspaceError where it does not answer.
    """
    try:
        listed = Git(root).run("ls-remote", "--quiet", remote, *patterns, env={"GIT_TERMINAL_PROMPT": "0"})
    except WorkspaceError as error:
        raise WorkspaceError(
            f"Git remote {remote} does not answer, so what it holds is not known; look at its address with "
            f"`git remote get-url {remote}` and try again: {error}"
        ) from None
    return {name: commit for commit, name in (line.split("\t") for line in listed.splitlines())}
