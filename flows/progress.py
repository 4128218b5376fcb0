"""How far a run is, as bars in the Prefect UI: one for each stage at work, sent by a thread of its own.

Only the newest number counts, sent at most every two seconds: a server that is slow, or away, holds nothing up.
"""

import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self
from uuid import UUID

from prefect import runtime
from prefect.settings import get_current_settings

from flows.pages import page_key

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

SECONDS_BETWEEN_UPDATES = 2.0
SECONDS_TO_END = 5.0
"""How long a run that has ended waits for its last numbers to be sent."""


@dataclass
class _Bar:
    stage: str
    percent: float
    words: str
    sent: float = -1.0
    artifact: UUID | None = field(default=None)


class ProgressBars:
    """The bars of one flow run; without a Prefect server that outlives the run there are none."""

    def __init__(self) -> None:
        self._flow_run, self._run = runtime.flow_run.id, str(runtime.flow_run.name)
        self._bars: dict[str, _Bar] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send_now_and_then, daemon=True)

    def __enter__(self) -> Self:
        if self._flow_run and get_current_settings().api.url:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(SECONDS_TO_END)

    def step(self, stage: str, step: int, total: int, words: str) -> None:
        """Note how far a stage is."""
        with self._lock:
            bar = self._bars.setdefault(stage, _Bar(stage, 0.0, ""))
            bar.percent, bar.words = 100.0 * step / max(total, 1), f"{stage} {step}/{total}  {words}".strip()

    def done(self, stage: str) -> None:
        """Note that a stage is done."""
        with self._lock:
            if stage in self._bars:
                self._bars[stage].percent = 100.0

    def _send_now_and_then(self) -> None:
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            while not self._over.wait(SECONDS_BETWEEN_UPDATES):
                self._send(client)
            self._send(client)

    def _send(self, client: "SyncPrefectClient") -> None:
        import httpx

        with self._lock:
            fresh = [(bar, bar.percent, bar.words) for bar in self._bars.values() if bar.percent != bar.sent]
        for bar, percent, words in fresh:
            try:
                self._put(client, bar, percent, words)
            except (httpx.HTTPError, OSError):
                # The next look sends what is newest then.
                return
            bar.sent = percent

    def _put(self, client: "SyncPrefectClient", bar: _Bar, percent: float, words: str) -> None:
        from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

        if bar.artifact:
            client.update_artifact(bar.artifact, ArtifactUpdate(data=percent, description=words))
            return
        made = client.create_artifact(
            ArtifactCreate(
                key=page_key("progress", f"{self._run}-{bar.stage}"), type="progress", description=words, data=percent,
                flow_run_id=UUID(str(self._flow_run)),
            )
        )  # fmt: skip
        bar.artifact = made.id
