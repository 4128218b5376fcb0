"""DVC, as far as a run needs it.

Stages run through DVC's Python API in this process: it spares the 0.4 s that each `dvc` command takes to start. What
changes the working directory (`dvc exp save`) or talks to remotes goes through the command line.
"""

import logging
import subprocess
import sys
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

from stemma.errors import StemmaError, WorkspaceError
from stemma.lineage.git import Git
from stemma.stage.definition import DVC_FILE, read_definitions

SECONDS_TO_WRITE = 2.0
"""How long DVC may take to write dvc.lock."""

LockEntry = dict[str, Any]
"""One stage of dvc.lock: cmd, deps, params, outs."""


class StageFailedError(StemmaError):
    """DVC ran a stage's command and it failed."""


class Pipeline:
    """The stages of dvc.yaml in one folder.

    DVC resolves names against the process's working directory, so each call works in that folder.
    """

    def __init__(self, folder: Path) -> None:
        from dvc.repo import Repo

        logging.getLogger("dvc").setLevel(logging.ERROR)
        self.folder = folder
        self.definitions = read_definitions(folder)
        self._repo: Any = Repo(str(folder))

    def pending(self, stage: str) -> LockEntry:
        """What dvc.lock would say of the stage's command, dependencies and settings if it ran now.

        It takes no lock and changes nothing, so it may be asked while the stage is at work.
        """
        from dvc.dependency.param import ParamsDependency

        loaded = self._loaded(stage)
        params = [dep for dep in loaded.deps if isinstance(dep, ParamsDependency)]
        entry: LockEntry = {
            "cmd": loaded.cmd,
            "deps": [{"path": d.def_path, "md5": d.hash_info.value} for d in loaded.deps if d not in params],
            "params": {dep.def_path: dep.hash_info.value for dep in params},
        }
        return entry

    def _loaded(self, stage: str) -> Any:
        """The stage as DVC sees it now, with its dependencies hashed."""
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        deadline = time.monotonic() + SECONDS_TO_WRITE
        while True:
            try:
                with Repo(str(self.folder)) as repo:
                    loaded = repo.stage.load_one(str(self.folder / DVC_FILE), self.definitions[stage].address)
                    loaded.save_deps(allow_missing=True)
                    return loaded
            except DvcException:
                # Where the stage ends this moment, DVC is writing dvc.lock, and half of it can be read.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def reproduce(self, stage: str) -> None:
        """Bring one stage up to date: DVC runs it, restores it from the run-cache, or leaves it.

        Its result goes to the run-cache at once, so that a killed run does not compute it again. DVC alone would leave
        that to the end of the run for a stage with an uncached output that is neither a metric nor a plot.

        Raises StageFailedError where its command fails.
        """
        from dvc.exceptions import DvcException

        try:
            with chdir(self.folder):
                for done in self._repo.reproduce([self.definitions[stage].address], single_item=True):
                    self._repo.stage_cache.save(done)
        except DvcException as error:
            causes = [str(error)]
            cause = error.__cause__
            while cause is not None:
                causes.append(str(cause))
                cause = cause.__cause__
            raise StageFailedError(f"stage {stage} failed: {': '.join(causes)}") from error

    def locked(self, stage: str) -> LockEntry:
        """The stage's entry in dvc.lock.

        Raises WorkspaceError where there is none.
        """
        entry = read_lock((self.folder / "dvc.lock").read_text(encoding="utf-8")).get(stage)
        if entry is None:
            raise WorkspaceError(f"{self.folder / 'dvc.lock'} says nothing of stage {stage}; DVC did not finish it")
        return entry

    def save_experiment(self, name: str, message: str) -> None:
        """Save the folder as the DVC experiment `name`: one Git commit with code, settings, raw inputs and dvc.lock.

        Raises WorkspaceError where DVC cannot.
        """
        from dvc.exceptions import DvcException

        added = Git(self.folder).run("ls-files", "--others", "--exclude-standard", "--", "inputs").splitlines()
        try:
            with chdir(self.folder):
                self._repo.experiments.save(name=name, message=message, include_untracked=["metrics", *added])
        except DvcException as error:
            raise WorkspaceError(f"DVC could not save run {name} as an experiment: {error}") from error

    def close(self) -> None:
        """Let go of DVC's databases."""
        self._repo.close()


def run_dvc(folder: Path, *args: str) -> str:
    """Run one DVC command in a folder and return what it printed.

    Raises WorkspaceError with DVC's own words where it fails.
    """
    done = subprocess.run([sys.executable, "-m", "dvc", *args], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise WorkspaceError(f"`dvc {' '.join(args)}` failed in {folder}: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def read_lock(text: str | None) -> dict[str, LockEntry]:
    """The stages of a dvc.lock's text, by name: `ppo` for what DVC calls `ppo@rlhf`."""
    from ruamel.yaml import YAML

    loaded = YAML(typ="safe").load(text or "") or {}
    return {address.partition("@")[0]: entry for address, entry in loaded.get("stages", {}).items()}


def share_cache(root: Path, folder: Path) -> None:
    """Give the workspace in `folder` the DVC cache of the project at `root`."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        cache = repo.cache.local_cache_dir
    use_cache(folder, Path(cache))


def use_cache(folder: Path, cache: Path) -> None:
    """Give the workspace in `folder` a DVC cache of its own choice."""
    from dvc.config import Config

    with Config(dvc_dir=str(folder / ".dvc")).edit("local") as local:
        local.setdefault("cache", {})["dir"] = str(cache)


def default_remote(root: Path) -> str | None:
    """Name of the default DVC remote, or None."""
    from dvc.config import Config

    name: str | None = Config(dvc_dir=str(root / ".dvc")).get("core", {}).get("remote")
    return name
