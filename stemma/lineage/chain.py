"""An append-only chain of JSON documents on a Git ref: each link is a commit whose parent is the link before.

A link holds what was done (`act.json`) and what holds since (`state.json`). Git's own hashes chain the links, and
`git update-ref` with the old value is the compare-and-set, so a link is there whole or not at all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stemma.errors import WorkspaceError
from stemma.lineage.environment import AUTHOR
from stemma.lineage.git import Git

ACT = "act.json"
STATE = "state.json"
NOTHING = "0" * 40
"""What `git update-ref` takes for a ref that is not there."""

Document = dict[str, Any]


class ChainMovedError(WorkspaceError):
    """Somebody else added a link since the chain was read."""


@dataclass(frozen=True)
class Link:
    """One link of a chain."""

    commit: str
    author: str
    """Who added it: name and address, as Git knows them."""
    when: datetime
    title: str
    act: Document
    state: Document


class Chain:
    """The chain on one ref of a repository."""

    def __init__(self, root: Path, ref: str) -> None:
        self.ref = ref
        self._git = Git(root)

    def head(self) -> Link | None:
        """The newest link, or None where nothing was done yet."""
        newest = self._log("--max-count=1")
        return newest[0] if newest else None

    def links(self) -> list[Link]:
        """All links, oldest first."""
        return self._log("--reverse")

    def append(self, after: Link | None, title: str, act: Document, state: Document, keeps: Sequence[str] = ()) -> Link:
        """Add a link after the one that was read; `keeps` are commits that the chain shall hold on to.

        Raises ChainMovedError where `after` is no longer the newest link; nothing is changed then.
        """
        git = self._git
        tree = git.run("mktree", stdin=self._blob(ACT, act) + self._blob(STATE, state))
        parents = [after.commit if after else self._beginning(), *keeps]
        env = {} if git.has_identity() else AUTHOR
        options = [word for parent in parents for word in ("-p", parent)]
        commit = git.run("commit-tree", tree, *options, "-m", title, env=env)
        link = self._read([git.run("log", "--max-count=1", f"--format={_FIELDS}", commit)])[0]
        try:
            git.run("update-ref", "-m", title, self.ref, commit, after.commit if after else NOTHING)
        except WorkspaceError as error:
            if git.run("for-each-ref", "--format=%(objectname)", self.ref) == (after.commit if after else ""):
                raise
            raise ChainMovedError(f"{self.ref} moved while this was under way, so nothing was done: {error}") from None
        return link

    def _beginning(self) -> str:
        """The commit before the first link, the same in every clone: it marks where the chain ends."""
        date = "1 +0000"
        env = {**AUTHOR, "GIT_AUTHOR_DATE": f"@{date}", "GIT_COMMITTER_DATE": f"@{date}"}
        return self._git.run("commit-tree", self._git.run("mktree", stdin=""), "-m", f"begin {self.ref}", env=env)

    def take_back(self, link: Link, before: Link | None) -> None:
        """Undo the newest link, which nobody else has seen.

        Raises WorkspaceError where it is not the newest any more.
        """
        old = ["update-ref", self.ref, before.commit] if before else ["update-ref", "-d", self.ref]
        self._git.run(*old, link.commit)

    def _blob(self, name: str, document: Document) -> str:
        text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        blob = self._git.run("hash-object", "-w", "--stdin", stdin=text)
        return f"100644 blob {blob}\t{name}\n"

    def _log(self, *options: str) -> list[Link]:
        if not self._git.run("for-each-ref", "--format=%(objectname)", self.ref):
            return []
        listed = self._git.run("log", "--first-parent", "--min-parents=1", *options, f"--format={_FIELDS}", self.ref)
        return self._read(listed.splitlines())

    def _read(self, rows: Sequence[str]) -> list[Link]:
        commits = [row.partition("\x1f")[0] for row in rows]
        found = self._git.contents([f"{commit}:{name}" for commit in commits for name in (ACT, STATE)])
        links = []
        for row in rows:
            commit, author, seconds, title = row.split("\x1f")
            when = datetime.fromtimestamp(int(seconds), tz=UTC)
            act, state = (self._document(commit, name, found[f"{commit}:{name}"]) for name in (ACT, STATE))
            links.append(Link(commit, author, when, title, act, state))
        return links

    def _document(self, commit: str, name: str, text: str | None) -> Document:
        try:
            document: Document = json.loads(text or "")
        except ValueError:
            raise WorkspaceError(
                f"commit {commit[:10]} of {self.ref} holds no readable {name}, so it was not written by Stemma. "
                f"Look with `git log {self.ref}`; `git fetch origin +{self.ref}:{self.ref}` takes the remote's copy"
            ) from None
        return document


_FIELDS = "%H%x1f%an <%ae>%x1f%ct%x1f%s"
