"""How the packages installed here differ from those that a run's requirements.txt pins."""

from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import InvalidRequirement, Requirement


def package_differences(requirements: str) -> list[str]:
    """Each pinned package that is here in another version, or not at all: `torch 2.13.0 → 2.12.1`."""
    found = []
    for line in requirements.splitlines():
        pinned = _pinned(line.partition("#")[0].strip())
        if pinned:
            here = _installed(pinned.name)
            if here is None or not pinned.specifier.contains(here, prereleases=True):
                found.append(f"{pinned.name} {str(pinned.specifier).removeprefix('==')} → {here or 'not installed'}")
    return found


def _pinned(line: str) -> Requirement | None:
    """A line's requirement, where it is one and is meant for this machine."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    return requirement if requirement.marker is None or requirement.marker.evaluate() else None


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
