"""The files that serving reads against the alias in Git and the artifact's own list of files."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from stemma.errors import ArtifactError
from stemma.lineage.md5 import file_md5
from stemma.lineage.registry import Version
from stemma.lineage.served import copy_of, link_of, served_aliases, served_artifact
from stemma.serving.model_files import artifacts_of, model_files
from stemma.verification.fault import Fault, Kind
from stemma.verification.subject import Subject


def check_served(subject: Subject, listings: Mapping[str, Mapping[str, str]]) -> list[Fault]:
    """Check the links of the registered models' aliases, and the files of every link into the family."""
    root = subject.root
    faults: list[Fault] = []
    served = {(model, alias): served_artifact(root, model, alias) or "" for model, alias in served_aliases(root)}
    known = {model.now.name: model.now for model in subject.registered}
    for name in {name for name, _ in served} & set(known):
        faults += [_unserved(root, name, alias) for alias in known[name].aliases if (name, alias) not in served]
    for (name, alias), artifact in served.items():
        now = known.get(name)
        version = now.versions.get(now.aliases.get(alias, 0)) if now else None
        if version or artifact in subject.family.members:
            faults += _link_faults(root, (name, alias), artifact, version)
    for artifact in sorted(set(served.values()) & set(listings) & set(subject.family.members)):
        faults += _copy_faults(subject, artifact)
    return faults


def _copy_faults(subject: Subject, artifact: str) -> list[Fault]:
    """Faults of the files of a served copy; merged weights are compared with what merging gives now."""
    member = subject.family.members[artifact]
    if member.run is None:
        return []
    artifacts = artifacts_of(subject.index, member.run.commit)
    try:
        expected = model_files(subject.store, artifacts, member.name).md5s()
    except ArtifactError:
        # The bytes that it was copied from are damaged or gone, which is told of those bytes themselves.
        return []
    return list(_file_faults(copy_of(subject.root, artifact), artifact, expected))


def _unserved(root: Path, name: str, alias: str) -> Fault:
    words = f"{name}@{alias} is not served: there is no link"
    return Fault(Kind.SERVED_LINK, str(link_of(root, name, alias)), words, _again(name, alias), "")


def _again(name: str, alias: str) -> str:
    return f"`stemma promote {name}@{alias} --to {alias} --reason …` moves nothing and puts the link right"


def _link_faults(root: Path, served_as: tuple[str, str], artifact: str, version: Version | None) -> Iterator[Fault]:
    name, alias = served_as
    link = link_of(root, name, alias)
    if version is None or artifact != version.artifact:
        said = f"{name}/{version.number} {version.artifact[:10]}" if version else "nothing"
        words = f"what is served as {name}@{alias} is artifact {artifact}; Git says {said}"
    elif link.resolve() != copy_of(root, artifact).resolve():
        words = f"what is served as {name}@{alias} lies at {link.resolve()}, where Stemma puts nothing"
    else:
        return
    yield Fault(Kind.SERVED_LINK, str(link), words, _again(name, alias), artifact)


def _file_faults(folder: Path, artifact: str, listing: Mapping[str, str]) -> Iterator[Fault]:
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for path in sorted(there | set(listing)):
        if path not in there:
            words = f"served file {path} of {artifact[:10]} is not there"
        elif path not in listing:
            words = f"served file {path} is not one of {artifact[:10]}"
        elif file_md5(folder / path) != listing[path]:
            words = f"served file {path} of {artifact[:10]} changed"
        else:
            continue
        remedy = "`stemma promote` of the version that has the alias moves nothing and lays the files out again"
        yield Fault(Kind.SERVED_FILE, str(folder / path), words, remedy, artifact)
