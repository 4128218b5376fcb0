"""Where served files lie: `serving/<model>/<alias>` links to `serving/.versions/<artifact id>`, a copy of its files."""

from pathlib import Path

SERVING = Path("serving")
VERSIONS = SERVING / ".versions"
LOCK = Path(".stemma") / "serving.lock"
"""Held while a copy is written or removed, or a link is moved."""


def link_of(root: Path, model: str, alias: str) -> Path:
    """The link that whoever serves an alias of a registered model follows."""
    return root / SERVING / model / alias


def copy_of(root: Path, artifact: str) -> Path:
    """The folder of an artifact's served copy."""
    return root / VERSIONS / artifact


def served_artifact(root: Path, model: str, alias: str) -> str | None:
    """The DVC id that an alias's link points at; None where there is no link."""
    link = link_of(root, model, alias)
    return link.readlink().name if link.is_symlink() else None


def served_aliases(root: Path) -> list[tuple[str, str]]:
    """Model and alias of every link."""
    links = (root / SERVING).glob("[!.]*/[!.]*")
    return sorted((path.parent.name, path.name) for path in links if path.is_symlink())
