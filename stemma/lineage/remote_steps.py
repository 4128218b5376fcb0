"""Step checkpoints of unfinished stages on the DVC remote, so that a stage goes on where its machine died.

What a stage would go on from is packed as one file under a number that rises; the mark beside it is written last, so a
file without one was cut short and does not count.
"""

import re
import shutil
import tarfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from stemma.errors import WorkspaceError
from stemma.lineage.answering import answering
from stemma.lineage.store import written_at
from stemma.stage.durable import WRITING
from stemma.stage.progress import ROWS
from stemma.stage.steps import resumable

FOLDER = "steps"
_PACK = re.compile(r"(\d+)\.tar")

Contents = tuple[tuple[str, int], ...]
"""Path and size of every file a stage would go on from, without the history, which grows at every step."""


class RemoteSteps:
    """The step checkpoints of stages, by the name of a stage's scratch folder."""

    def __init__(self, root: Path) -> None:
        from dvc.repo import Repo

        self._repo: Any = Repo(str(root))
        remote = self._repo.cloud.get_remote_odb(hash_name="md5-dos2unix")
        self._fs, self._path = remote.fs, remote.fs.join(remote.path, FOLDER)
        self._pushed: dict[str, Contents] = {}

    def close(self) -> None:
        """Let go of DVC's databases."""
        self._repo.close()

    def push(self, scratch: Path) -> bool:
        """Pack and push what the stage would go on from, if that is new; returns whether it was.

        Raises WorkspaceError where the remote does not take it; nothing counts then.
        """
        try:
            files = resumable(scratch) if scratch.exists() else []
            contents = _contents(scratch, files)
            if not contents or self._pushed.get(scratch.name) == contents:
                return False
            with answering(f"the step checkpoint of {scratch.name}"):
                self._pack(scratch, files)
        except FileNotFoundError:
            return False  # the stage has just replaced it by a newer one, which the next look finds
        self._pushed[scratch.name] = contents
        return True

    def _pack(self, scratch: Path, files: Sequence[Path]) -> None:
        folder = self._fs.join(self._path, scratch.name)
        number = max(self._numbers(scratch.name), default=0) + 1
        self._fs.makedirs(folder, exist_ok=True)
        pack = self._fs.join(folder, f"{number}.tar")
        with self._fs.open(pack, "wb") as stream, tarfile.open(fileobj=stream, mode="w|") as packed:
            for file in files:
                packed.add(scratch / file, str(file), filter=_without_owner)
        with self._fs.open(f"{pack}.whole", "wb"):
            pass
        self._drop_below(folder, number)

    def pull(self, scratch: Path) -> bool:
        """Unpack the newest whole pack as the stage's scratch folder; returns whether there was one.

        Raises WorkspaceError where the remote does not answer, or the pack is damaged.
        """
        with answering(f"the step checkpoint of {scratch.name}"):
            number = max(self._numbers(scratch.name), default=0)
            if number:
                self._unpack(scratch, number)
        return number > 0

    def _unpack(self, scratch: Path, number: int) -> None:
        unpacked = scratch.with_name(f"{scratch.name}.{WRITING}")
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir(parents=True)
        pack = self._fs.join(self._path, scratch.name, f"{number}.tar")
        try:
            with self._fs.open(pack, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as packed:
                packed.extractall(unpacked, filter="data")
        except tarfile.TarError as error:
            shutil.rmtree(unpacked)
            raise WorkspaceError(f"the step checkpoint {pack} on the DVC remote is damaged: {error}") from error
        shutil.rmtree(scratch, ignore_errors=True)
        unpacked.rename(scratch)
        self._pushed[scratch.name] = _contents(scratch, resumable(scratch))

    def drop(self, name: str) -> None:
        """Remove a stage's step checkpoints, because the stage is done.

        Raises WorkspaceError where the remote does not answer.
        """
        folder = self._fs.join(self._path, name)
        with answering(f"the step checkpoint of {name}"):
            if self._fs.exists(folder):
                self._fs.remove(folder, recursive=True)

    def older_than(self, when: datetime) -> list[str]:
        """The scratch folders whose packs were all written before then, sorted; one of unknown age is not among them.

        Raises WorkspaceError where the remote does not answer.
        """
        with answering("the step checkpoints"):
            files = self._fs.find(self._path) if self._fs.exists(self._path) else []
            young: dict[str, bool] = {}
            for file in files:
                name, written = file.rsplit("/", 2)[1], written_at(self._fs.info(file))
                young[name] = young.get(name, False) or written is None or written >= when
        return sorted(name for name, is_young in young.items() if not is_young)

    def _numbers(self, name: str) -> list[int]:
        """The numbers of the packs that are whole."""
        folder = self._fs.join(self._path, name)
        names = {path.rsplit("/", 1)[-1] for path in self._fs.find(folder)} if self._fs.exists(folder) else set()
        packs = [match for match in map(_PACK.fullmatch, names) if match and f"{match[0]}.whole" in names]
        return [int(match[1]) for match in packs]

    def _drop_below(self, folder: str, number: int) -> None:
        for path in self._fs.find(folder):
            if int(path.rsplit("/", 1)[-1].partition(".")[0]) < number:
                self._fs.remove(path)


def _contents(scratch: Path, files: Sequence[Path]) -> Contents:
    return tuple((str(file), (scratch / file).stat().st_size) for file in files if file.name != ROWS)


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    return entry.replace(uid=0, gid=0, uname="", gname="", deep=False)
