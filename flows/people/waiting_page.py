"""What a run waits for, as a page in the Prefect UI: a link to the label page, and how far people are."""

from typing import TYPE_CHECKING

from flows.pages import page_key
from stemma.labelling.store.batch import Batch, Progress

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

    from stemma.labelling.store.store import LabelStore


def waiting_page(run: str, batch: str, page: str, progress: Progress) -> str:
    """The page as Markdown."""
    return f"Run {run} waits for batch **{batch}**: [label]({page})\n\n{_table(progress)}"


def update_pages(client: "SyncPrefectClient", store: "LabelStore", shown: dict[str, Progress]) -> None:
    """Bring the pages of open batches up to date; `shown` is what they say, by batch."""
    for batch in store.batches():
        if batch.state != "open":
            continue
        progress = store.progress(batch.id)
        if shown.get(batch.id) != progress:
            _update(client, batch, progress)
            shown[batch.id] = progress


def _update(client: "SyncPrefectClient", batch: Batch, progress: Progress) -> None:
    from prefect.client.schemas.actions import ArtifactUpdate
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[page_key("labels", batch.source.get("run", batch.id))]))
    for page in client.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.CREATED_DESC, limit=1):
        head, _, _ = str(page.data).partition("\n\n")
        client.update_artifact(page.id, ArtifactUpdate(data=f"{head}\n\n{_table(progress)}"))


def _table(progress: Progress) -> str:
    done = f"{progress.given / progress.wanted:.0%}"
    return (
        "| pairs | verdicts | of | done |\n|---:|---:|---:|---:|\n"
        f"| {progress.items} | {progress.given} | {progress.wanted} | {done} |\n"
    )
