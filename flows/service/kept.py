"""A service that is kept running: started again, ever later, as often as it ends by itself."""

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from flows.service.child import end, last_words, start
from flows.service.services import Service
from stemma.errors import ServiceError

SECONDS_TO_START = 180.0
SECONDS_OF_HEALTH = 60.0
"""A service that ran this long has recovered."""
LONGEST_WAIT = 60.0


class Kept:
    """A service and its process."""

    def __init__(
        self, service: Service, root: Path, environment: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self.service = service
        self._root, self._say = root, say
        self._environment = {**environment, **service.environment}
        self._wait, self._due = 1.0, 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._start(anew=True)

    def await_ready(self) -> None:
        """Wait until the service answers.

        Raises ServiceError with its last words where it ends instead, or takes too long.
        """
        deadline = time.monotonic() + SECONDS_TO_START
        while not (ready := self.service.is_ready()) or self._has_ended():
            # One that has ended while its address answers left that address to another project's server.
            if ready or self._has_ended() or time.monotonic() > deadline:
                raise ServiceError(
                    f"{self.service.name} does not answer; the last lines of {self.service.log}:\n"
                    f"{last_words(self.service.log)}"
                )
            time.sleep(0.2)

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def look(self) -> None:
        """Start the service again if it has ended, after a wait that doubles each time."""
        if self._process is not None and self._process.poll() is not None:
            if time.monotonic() - self._began > SECONDS_OF_HEALTH:
                self._wait = 1.0
            self._say(
                f"{self.service.name} ended with status {self._process.returncode}; it is started again in "
                f"{self._wait:.0f} s; {self.service.log} says why"
            )
            self._process, self._due = None, time.monotonic() + self._wait
            self._wait = min(self._wait * 2, LONGEST_WAIT)
        if self._process is None and time.monotonic() >= self._due:
            self._start(anew=False)

    def stop(self) -> None:
        """End the service."""
        if self._process is not None and self._process.poll() is None:
            end(self._process)
        self._say(f"{self.service.name} is stopped")

    def _start(self, anew: bool) -> None:
        self._began = time.monotonic()
        self._process = start(self.service.command, self._root, self._environment, self.service.log, anew)
        self._say(f"{self.service.name} is started, process {self._process.pid}")
