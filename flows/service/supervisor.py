"""Looks after the services of the local stack: `python -m flows.service.supervisor`, which `stemma up` starts."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from flows.service.child import last_words
from flows.service.kept import Kept
from flows.service.services import Service, Wanted, elsewhere, servers, worker_environment, workers
from flows.service.stack import Stack, stack_file, stack_lock, write_stack
from stemma.cleanup.leftovers import sweep_leftovers
from stemma.errors import ServiceError, StemmaError
from stemma.lineage.git import find_project
from stemma.stage.locks import try_lock

SECONDS_BETWEEN_LOOKS = 0.5


class Stopped(BaseException):
    """Somebody told this process to stop."""


class Supervisor:
    """Starts the services in order and keeps them running until it is told to stop."""

    def __init__(self, root: Path, wanted: Wanted) -> None:
        self._root, self._wanted = root, wanted
        self._kept: list[Kept] = []

    def run(self) -> None:
        """Start everything, then look after it for ever.

        Raises StemmaError where a service does not come up or a setting forbids it; Stopped when it is told to stop.
        """
        self._tell("starting")
        told, last = worker_environment(self._root, self._wanted), workers(self._root, self._wanted)
        self._begin(servers(self._root, self._wanted), {})
        if not self._wanted.only_workers:
            self._deploy(told)
        for words in sweep_leftovers(self._root).words():
            say(words)
        self._begin(last, told)
        self._tell("ready")
        while True:
            for kept in self._kept:
                kept.look()
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def stop(self) -> None:
        """Stop what was started, the last first."""
        for kept in reversed(self._kept):
            kept.stop()

    def tell_failure(self, why: str) -> None:
        """Leave word of why it did not work."""
        self._tell("failed", why)

    def _begin(self, services: Sequence[Service], environment: dict[str, str]) -> None:
        fresh = []
        for service in services:
            fresh.append(Kept(service, self._root, environment, say))
            self._kept.append(fresh[-1])
        for kept in fresh:
            kept.await_ready()
            say(f"{kept.service.name} answers" + (f" at {kept.service.address}" if kept.service.address else ""))

    def _deploy(self, environment: dict[str, str]) -> None:
        log = self._root / ".stemma" / "logs" / "deploy.log"
        command = [sys.executable, "-m", "stemma", "deploy"]
        with log.open("wb") as stream:
            done = subprocess.run(
                command, cwd=self._root, env={**os.environ, **environment}, stdout=stream, stderr=stream, check=False
            )
        if done.returncode:
            raise ServiceError(f"`stemma deploy` failed: {last_words(log)}")

    def _tell(self, state: str, why: str = "") -> None:
        addresses = {kept.service.name: kept.service.address for kept in self._kept if kept.service.address}
        names = tuple(kept.service.name for kept in self._kept)
        write_stack(self._root, Stack(os.getpid(), state, why, {**elsewhere(self._wanted), **addresses}, names))


def say(words: str) -> None:
    """Write a line to the log."""
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {words}", flush=True)


def main(root: Path, wanted: Wanted) -> int:
    """Look after the services until told to stop; one process a project does."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    with try_lock(stack_lock(root)) as held:
        if not held:
            return 0
        supervisor, why = Supervisor(root, wanted), ""
        try:
            supervisor.run()
        except Stopped:
            pass
        except (StemmaError, OSError) as error:
            why = str(error) or type(error).__name__
        supervisor.stop()
        if why:
            say(why)
            supervisor.tell_failure(why)
            return 1
        stack_file(root).unlink(missing_ok=True)
        say("stopped")
    return 0


def _stop(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Stopped


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    sys.exit(main(find_project(Path.cwd()), Wanted(**{**asked, "pools": tuple(asked["pools"])})))
