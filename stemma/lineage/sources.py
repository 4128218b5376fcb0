"""What a person names to ask what came of it, and the artifacts in which that begins. Nothing is guessed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stemma.errors import WorkspaceError
from stemma.lineage.clone import fetch_hint
from stemma.lineage.git import Git
from stemma.lineage.index import Index
from stemma.lineage.names import HEXADECIMAL, find_model, find_version, meanings
from stemma.lineage.raw_files import raw_files
from stemma.lineage.registry import models
from stemma.lineage.row_search import Held, RecordTest, names_in, search
from stemma.lineage.store import Store

Labeller = Literal["annotator", "judge"]
"""Who gave a verdict: the field of a verdict's row that names a person, or an AI judge."""


@dataclass(frozen=True)
class Source:
    """Where an impact begins."""

    title: str
    artifacts: tuple[str, ...]
    """DVC ids: of the thing itself, of what holds it, or of what was made with it."""
    unread: tuple[str, ...] = ()
    """Artifacts and raw inputs that may hold it too, but whose bytes are nowhere here."""
    rows: tuple[tuple[str, str], ...] = ()
    """For a record's id the different rows that have it, which are all followed: sha256 and JSON of each."""


def find_source(root: Path, index: Index, name: str) -> Source:
    """What a name means: an artifact, a raw input or one of its files, a registered model, a run, or PATH@COMMIT.

    Raises WorkspaceError where nothing or more than one thing has that name; it says what there is.
    """
    if "@" in name:
        return _at(root, index, name)
    if (root / name).is_file():
        raise WorkspaceError(f"{name} is a file; say which of its states: {name}@HEAD, or another commit")
    if "/" in name:
        return _version(root, index, name)
    found = {model.derivation.artifact: model.title for model in meanings(index, name)}
    sources = [Source(f"{title}, {artifact}", (artifact,)) for artifact, title in found.items()]
    if HEXADECIMAL.fullmatch(name) and name not in found:
        sources += _raw_inputs(root, index, name)
    if len(sources) > 1:
        listed = [f"  {source.title}" for source in sources]
        raise WorkspaceError(
            "\n".join([f"{name!r} can mean {len(sources)} things; write one of their ids whole:", *listed])
        )
    if not sources:
        find_model(root, index, name)  # it says what there is
    return sources[0]


def find_labeller(root: Path, index: Index, store: Store, kind: Labeller, name: str) -> Source:
    """The artifacts that hold verdicts of an annotator or of an AI judge.

    Raises WorkspaceError where none does; it says whose verdicts there are.
    """
    known: set[str] = set()

    def test(rows: Iterable[bytes]) -> bool:
        names = names_in(rows, kind)
        known.update(names)
        return name in names

    held = search(root, index, store, test)
    if not held.artifacts:
        told = ", ".join(sorted(known)) or "none"
        raise WorkspaceError(f"no {kind} is named {name!r}; on record: {told}{_unread(held)}")
    return Source(f"{kind} {name}", held.artifacts, held.unread)


def find_record(root: Path, index: Index, store: Store, record: str) -> Source:
    """The artifacts and raw inputs that hold a record, named by its id, or by the sha256 of its row or of a text in it.

    Raises WorkspaceError where none does.
    """
    test = RecordTest(record)
    held = search(root, index, store, test)
    if not held.artifacts:
        raise WorkspaceError(
            f"nothing on record holds the record {record!r}: no row has it as its `id` or as a field that ends in "
            f"`_id`, and neither a row nor a text in one has it as its sha256{_unread(held)}"
        )
    return Source(f"record {record}", held.artifacts, held.unread, tuple(test.rows.items()))


def _unread(held: Held) -> str:
    if not held.unread:
        return ""
    few = ", ".join(held.unread[:3]) + (" …" if len(held.unread) > 3 else "")
    return (
        f". {len(held.unread)} artifacts or raw inputs were not searched, for their bytes are neither in the DVC cache "
        f"nor on its remote: {few}; `dvc push` them where they are, and ask again"
    )


def _at(root: Path, index: Index, name: str) -> Source:
    """NAME@ALIAS or PATH@COMMIT."""
    path, _, commit = name.rpartition("@")
    is_model, is_file = path in models(root), _blobs(Git(root), [f"{commit}:{path}"])[0] is not None
    if is_model and is_file:
        raise WorkspaceError(
            f"{name!r} can mean 2 things: the alias {commit} of registered model {path}, and the file {path} at commit "
            f"{commit}; write {path}/VERSION for the one, and the commit's hexadecimal digits for the other"
        )
    if is_file:
        return _code(root, index, path, commit)
    if is_model or not {"/", "."} & set(path):
        return _version(root, index, name)
    if Git(root).contents([commit])[commit] is None:
        raise WorkspaceError(f"{name!r}: there is no commit {commit!r} in this clone{fetch_hint(root)}")
    raise WorkspaceError(
        f"{name!r}: commit {commit} has no file {path}; look with `git ls-tree -r --name-only {commit}`"
    )


def _version(root: Path, index: Index, name: str) -> Source:
    artifact = find_version(root, index, name).derivation.artifact
    return Source(f"{name}, {artifact}", (artifact,))


def _code(root: Path, index: Index, path: str, commit: str) -> Source:
    """The artifacts that were made with a code file as it is in a commit.

    It is compared with the file in the runs' own trees and not by its md5, so that line ends do not matter, which Git
    may write in a working tree in another way.
    """
    contents = index.contents_of(path)
    if not contents:
        raise WorkspaceError(
            f"no run on record depends on {path} as code; `stemma trace MODEL --json` lists what a model depends on"
        )
    wanted, *found = _blobs(Git(root), [f"{commit}:{path}", *(f"{run}:{path}" for run in contents.values())])
    same = [md5 for md5, blob in zip(contents, found, strict=True) if blob == wanted]
    return Source(f"{path} as it is at {commit}", tuple(index.made_with(path, same)))


def _blobs(git: Git, names: Sequence[str]) -> list[str | None]:
    """The ids of files, each named as `commit:path`; None where there is no such file."""
    asked = "".join(f"{name}\n" for name in names)
    found = git.run("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked).splitlines()
    return [line.removeprefix("blob ") if line.startswith("blob ") else None for line in found]


def _raw_inputs(root: Path, index: Index, prefix: str) -> list[Source]:
    """The raw inputs, or else the files of raw inputs, whose id begins with a prefix."""
    inputs = index.raw_inputs()
    whole = [Source(f"{raw.path}, {raw.md5}", (raw.md5,)) for raw in inputs if raw.md5.startswith(prefix)]
    if whole:
        return whole
    held: dict[str, list[str]] = {}
    for raw in inputs:
        for file in raw_files(root, raw.commit, raw.path):
            if file.md5.startswith(prefix):
                held.setdefault(f"{raw.path}/{file.path}, {file.md5}", []).append(raw.md5)
    return [Source(title, tuple(ids)) for title, ids in held.items()]
