"""What was forgotten on request: tombstones, and the artifacts that they taint.

A tombstone says what was removed and what descends from it, and must not itself keep what is to be forgotten: names
and records stand in it as salted hashes, which cost enough to compute that a list of names is not soon tried out.
"""

import hashlib
import secrets
from pathlib import Path

from stemma.lineage.chain import Chain, Document, Link

FORGOTTEN = "refs/stemma/forgotten"


class Tombstones:
    """The tombstones of a project: an append-only chain, so that none can be taken away unseen."""

    def __init__(self, root: Path) -> None:
        self._chain = Chain(root, FORGOTTEN)
        self._head = self._chain.head()
        self._salt: str = self._head.state["salt"] if self._head else secrets.token_hex(16)

    @property
    def tainted(self) -> dict[str, str]:
        """Reason by DVC id of every tainted artifact."""
        return dict(self._head.state["tainted"]) if self._head else {}

    @property
    def cleaned(self) -> dict[str, str]:
        """DVC id of the cleaned version of every dataset version that was cleaned."""
        return dict(self._head.state["cleaned"]) if self._head else {}

    def acts(self) -> list[Link]:
        """Every tombstone and purge, oldest first."""
        return self._chain.links()

    def hidden(self, text: str) -> str:
        """A personal text as it may stand in a tombstone: equal texts of one project give equal hashes."""
        return hashlib.scrypt(text.encode(), salt=bytes.fromhex(self._salt), n=1 << 14, r=8, p=1, dklen=16).hex()

    def add(self, title: str, act: Document, tainted: dict[str, str], cleaned: dict[str, str]) -> Link:
        """Add an act, with what it taints and which versions it cleaned.

        What was tainted before keeps its reason. Raises ChainMovedError where somebody else added one since this was
        read.
        """
        state = {
            "salt": self._salt,
            "tainted": {**tainted, **self.tainted},
            "cleaned": {**self.cleaned, **cleaned},
        }
        self._head = self._chain.append(self._head, title, act, state)
        return self._head


def taints(root: Path) -> dict[str, str]:
    """Why each tainted artifact is tainted, by DVC id: it holds what was forgotten, or descends from what does.

    What was made from one of these since is tainted too, so look at a model's whole family.
    """
    return Tombstones(root).tainted
