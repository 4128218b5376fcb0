"""The packages that a run's code ran with, as its requirements.txt pins them."""

import re
from dataclasses import dataclass

from stemma.lineage.runs import Run

REQUIREMENT = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*(?:==\s*([^\s;#]+))?", re.MULTILINE)


@dataclass(frozen=True)
class Library:
    """One package."""

    name: str
    version: str
    """Empty where requirements.txt does not pin it."""

    @property
    def purl(self) -> str:
        """Its package URL; names are written as PyPI normalises them."""
        name = re.sub(r"[-_.]+", "-", self.name).lower()
        return f"pkg:pypi/{name}" + (f"@{self.version}" if self.version else "")


def libraries_of(run: Run) -> tuple[Library, ...]:
    """The packages of a run; none where its commit has no requirements.txt."""
    name = f"{run.commit}:requirements.txt"
    text = run.git.contents([name])[name] or ""
    found = {Library(name, version or "") for name, version in REQUIREMENT.findall(text)}
    return tuple(sorted(found, key=lambda library: library.purl))
