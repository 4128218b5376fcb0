"""DVC's run-cache: small files that say which outputs a stage had from which inputs.

An entry whose outputs are gone is worse than none: DVC would look at it and at no older one.
"""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from stemma.lineage.tracked import named_in


class RunCache:
    """The run-cache beside the objects of one place."""

    def __init__(self, name: str, fs: Any, path: str) -> None:
        self.name = name
        self._fs = fs
        self._path = path

    def entries(self) -> dict[str, set[str]]:
        """The ids of each entry's outputs, by the entry's path."""
        if not self._fs.exists(self._path):
            return {}
        return {path: self._outputs(path) for path in self._fs.find(self._path)}

    def remove(self, paths: Collection[str]) -> None:
        """Remove entries, and folders that hold none: DVC stumbles over an empty one."""
        for path in paths:
            self._fs.remove(path)
        if self._fs.protocol == "local" and self._fs.exists(self._path):
            for folder in Path(self._path).glob("*/*"):
                with suppress(OSError):  # it holds another entry
                    folder.rmdir()

    def _outputs(self, path: str) -> set[str]:
        with self._fs.open(path, "r") as stream:
            text: str = stream.read()
        return named_in(text.partition("\nouts:\n")[2])
