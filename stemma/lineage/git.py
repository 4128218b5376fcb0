"""Git, as far as a run needs it: one thin wrapper over the command line."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from stemma.errors import WorkspaceError

BLANK = " \t\r\n"
"""What surrounds an answer of Git. Python's own idea of blank has the separators of `refs` in it."""

CODE = ("flows", "tasks", "stemma", "profiles", "inputs", "dvc.yaml", "params.yaml", "requirements.txt")
"""What a dirty run takes along even where Git does not track it yet."""


class Git:
    """The Git repository whose top folder is `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(
        self, *args: str, stdin: str | None = None, env: dict[str, str] | None = None, timeout: float | None = None
    ) -> str:
        """Run one Git command and return what it printed.

        Raises WorkspaceError with Git's own words where it fails, or where it takes more than `timeout` seconds.
        """
        try:
            done = subprocess.run(
                ["git", *args],
                cwd=self.root,
                input=stdin,
                env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **(env or {})},
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            raise WorkspaceError(f"git {args[0]} in {self.root} had no answer within {timeout:.0f} s") from None
        if done.returncode:
            raise WorkspaceError(f"git {args[0]} failed in {self.root}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip(BLANK)

    def head(self) -> str:
        """The commit of HEAD.

        Raises WorkspaceError where the repository has no commit yet.
        """
        try:
            return self.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        except WorkspaceError:
            raise WorkspaceError(
                f"the repository {self.root} has no commit yet, and a run starts from one. "
                'Run: git add -A && git commit -m "first commit"'
            ) from None

    def working_tree(self) -> str:
        """The id of a tree object that equals the working tree: tracked files and new code, as they are now.

        It goes through an index of its own, so neither the working tree nor the user's index is touched.
        """
        with tempfile.TemporaryDirectory() as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.run("read-tree", "HEAD", env=env)
            self.run("add", "--update", ".", env=env)
            self.run("add", "--", *(path for path in CODE if (self.root / path).exists()), env=env)
            return self.run("write-tree", env=env)

    def has_identity(self) -> bool:
        """Whether Git knows who commits."""
        try:
            return bool(self.run("var", "GIT_AUTHOR_IDENT") and self.run("config", "user.email"))
        except WorkspaceError:
            return False

    def remote(self) -> str | None:
        """The remote to push to: origin, or else the first there is; None where there is none."""
        names = self.run("remote").split()
        return "origin" if "origin" in names else next(iter(names), None)

    def refs(self, pattern: str, fields: Sequence[str]) -> list[list[str]]:
        """List refs with the given `for-each-ref` fields, newest commit first."""
        shape = "%1f".join(f"%({field})" for field in fields) + "%1e"
        listed = self.run("for-each-ref", "--sort=-creatordate", f"--format={shape}", pattern)
        return [row.strip("\n").split("\x1f") for row in listed.split("\x1e") if row.strip()]

    def contents(self, names: Sequence[str]) -> dict[str, str | None]:
        """Read many objects, each named as `commit:path`, in one process; None where there is no such object."""
        done = subprocess.run(
            ["git", "cat-file", "--batch"],
            cwd=self.root,
            input="".join(f"{name}\n" for name in names).encode(),
            capture_output=True,
            check=True,
        ).stdout
        return {name: found and found[1].decode("utf-8", "replace") for name, found in parse_batch(names, done).items()}


def parse_batch(names: Sequence[str], output: bytes) -> dict[str, tuple[str, bytes] | None]:
    """Kind and bytes of each object in what `git cat-file --batch` prints of names; None where there is no such one."""
    found: dict[str, tuple[str, bytes] | None] = {}
    position = 0
    for name in names:
        end = output.index(b"\n", position)
        header = output[position:end]
        position = end + 1
        if header.endswith((b" missing", b" ambiguous")):
            found[name] = None
            continue
        _, kind, size = header.rsplit(b" ", 2)
        found[name] = kind.decode(), output[position : position + int(size)]
        position += int(size) + 1
    return found


def find_project(start: Path) -> Path:
    """The top folder of the Stemma project that `start` lies in.

    Raises WorkspaceError where it lies in no Git repository with a dvc.yaml and a DVC folder.
    """
    try:
        root = Path(Git(start).run("rev-parse", "--show-toplevel"))
    except WorkspaceError:
        raise WorkspaceError(f"{start} is not inside a Git repository; change to the project's folder") from None
    missing = [name for name in ("dvc.yaml", "params.yaml", ".dvc") if not (root / name).exists()]
    if missing:
        raise WorkspaceError(f"{root} is not a Stemma project: it has no {', no '.join(missing)}")
    return root
