"""Pins: artifacts that `stemma gc` shall keep for a reason of a person's own; acts on a chain, as promotions are."""

from collections.abc import Sequence
from pathlib import Path

from stemma.errors import WorkspaceError
from stemma.lineage.chain import Chain, Document
from stemma.lineage.names import Model

PINS = "refs/stemma/pins"


class Pins:
    """The pins of a project."""

    def __init__(self, root: Path) -> None:
        self._chain = Chain(root, PINS)
        self._head = self._chain.head()

    @property
    def pins(self) -> dict[str, dict[str, str]]:
        """What is pinned, by DVC id: `title`, `commit` of the experiment, `reason`."""
        return dict(self._head.state["pins"]) if self._head else {}

    def pin(self, model: Model, reason: str) -> None:
        """Pin a model; its experiment is kept too, even after `dvc exp remove`."""
        pin = {"title": model.title, "commit": model.run.commit, "reason": reason}
        artifact = model.derivation.artifact
        act = {"act": "pin", "artifact": artifact, **pin}
        self._add(f"pin {model.title}: {reason}", act, {**self.pins, artifact: pin}, [model.run.commit])

    def unpin(self, model: Model, reason: str) -> None:
        """Take a pin away.

        Raises WorkspaceError where there is none.
        """
        pins, artifact = self.pins, model.derivation.artifact
        if artifact not in pins:
            known = ", ".join(pin["title"] for pin in pins.values()) or "nothing"
            raise WorkspaceError(f"{model.title} is not pinned; pinned are: {known}")
        del pins[artifact]
        act = {"act": "unpin", "artifact": artifact, "title": model.title, "reason": reason}
        self._add(f"unpin {model.title}: {reason}", act, pins)

    def _add(self, title: str, act: Document, pins: dict[str, dict[str, str]], keeps: Sequence[str] = ()) -> None:
        self._head = self._chain.append(self._head, title, act, {"pins": pins}, keeps)
