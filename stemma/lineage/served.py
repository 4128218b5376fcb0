"""Where the served files lie: `serving/<alias>` is a link to `serving/.versions/<artifact id>`, a copy of its files."""

from pathlib import Path

SERVING = Path("serving")
VERSIONS = SERVING / ".versions"


def link_of(root: Path, alias: str) -> Path:
    """The link that whoever serves an alias follows."""
    return root / SERVING / alias


def copy_of(root: Path, artifact: str) -> Path:
    """The folder of an artifact's served copy."""
    return root / VERSIONS / artifact


def served_artifact(root: Path, alias: str) -> str | None:
    """The DVC id that an alias's link points at; None where there is no link."""
    link = link_of(root, alias)
    return link.readlink().name if link.is_symlink() else None


def served_aliases(root: Path) -> list[str]:
    """The aliases that have a link."""
    folder = root / SERVING
    links = [path for path in folder.iterdir() if path.is_symlink()] if folder.is_dir() else []
    return sorted(link.name for link in links if not link.name.startswith("."))
