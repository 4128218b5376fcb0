"""What came of something: every artifact that descends from it, and every model version and alias, live ones first."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stemma.lineage.family import size_text
from stemma.lineage.index import Descendant, Index
from stemma.lineage.registry import Registry, Version, models
from stemma.lineage.row_diff import cut
from stemma.lineage.sources import Source


@dataclass(frozen=True)
class Reached:
    """A registered model version that something went into."""

    model: str
    aliases: tuple[str, ...]
    """The aliases that point to it now; it is live where there are any."""
    version: Version

    @property
    def title(self) -> str:
        """Its name: `policy/7`."""
        return f"{self.model}/{self.version.number}"


@dataclass(frozen=True)
class Impact:
    """All that came of a source."""

    source: Source
    begins: tuple[Descendant, ...]
    """The artifacts in which it begins; a raw input is no artifact."""
    artifacts: tuple[Descendant, ...]
    """What descends from them, the oldest first."""
    versions: tuple[Reached, ...]
    """Live ones first, the newest first among equals."""


def impact(root: Path, index: Index, source: Source) -> Impact:
    """Follow a source forward, through every way in which any bytes came about."""
    found = index.descendants(source.artifacts)
    begins = set(source.artifacts)
    return Impact(
        source,
        tuple(one for one in found if one.artifact in begins),
        tuple(one for one in found if one.artifact not in begins),
        tuple(_versions(root, begins.union(one.artifact for one in found))),
    )


def as_json(told: Impact) -> dict[str, Any]:
    """The impact as plain values."""
    return {
        "source": told.source.title,
        "begins_at": list(told.source.artifacts),
        "not_searched": list(told.source.unread),
        "rows": [{"sha256": sha256, "row": row} for sha256, row in told.source.rows],
        "versions": [
            {"name": one.title, "live": bool(one.aliases), "aliases": list(one.aliases), **asdict(one.version)}
            for one in told.versions
        ],
        "artifacts": [{**vars(one), "begins": True} for one in told.begins]
        + [{**vars(one), "begins": False} for one in told.artifacts],
    }


def page(told: Impact) -> str:
    """The impact for people: model versions, live ones first, then artifacts."""
    live = [one for one in told.versions if one.aliases]
    other = [one for one in told.versions if not one.aliases]
    counts = f"{_count(told.begins + told.artifacts, 'artifact')}, {_count(told.versions, 'model version')}"
    rows = told.source.rows if len(told.source.rows) > 1 else ()
    return "\n".join(
        [
            f"Impact of {told.source.title}: {counts}",
            *_section(
                f"{len(rows)} different rows have this id and all are followed; for one alone give its sha256",
                (f"  {sha256}  {cut(row)}" for sha256, row in rows),
            ),
            *_section("Live", map(_version_line, live)),
            *_section("Registered", map(_version_line, other)),
            *_section("It begins in", map(_line, told.begins)),
            *_section("And came into", map(_line, told.artifacts)),
            *_section(
                "Not searched, for their bytes are neither in the DVC cache nor on its remote",
                (f"  {artifact}" for artifact in told.source.unread),
            ),
        ]
    )


def _versions(root: Path, reached: set[str]) -> list[Reached]:
    found = [
        Reached(model, tuple(now.aliases_of(version.number)), version)
        for model in models(root)
        for now in [Registry(root, model).read()]
        for version in now.versions.values()
        if version.artifact in reached
    ]
    return sorted(found, key=lambda one: (not one.aliases, one.model, -one.version.number))


def _section(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    return ["", title, *found] if found else []


def _count(things: Collection[object], what: str) -> str:
    return f"{len(things)} {what}" + ("" if len(things) == 1 else "s")


def _version_line(one: Reached) -> str:
    aliases = f" ({', '.join(one.aliases)})" if one.aliases else ""
    return f"  {one.title}{aliases}: {one.version.stage} {one.version.artifact}, run {one.version.run}"


def _line(one: Descendant) -> str:
    return f"  {one.stage:<10} {one.artifact:<36}  {size_text(one.size):>9}  run {one.run}"
