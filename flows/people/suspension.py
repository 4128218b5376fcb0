"""How a flow run waits for people: suspended under a Prefect deployment, or ended with a word in a terminal."""

from pathlib import Path

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.flow_runs import suspend_flow_run
from prefect.states import Cancelled, Completed
from pydantic import BaseModel

from flows.beginning import is_deployed
from flows.events import LABELS_WANTED, tell
from flows.pages import page_key, show_page
from flows.people.human_labels import Halt
from flows.people.review import Review, pause_key, pauses
from flows.people.waiting_page import waiting_page
from flows.settings import HumanConfig
from stemma.lineage.git import find_project


class Waiting(BaseModel):
    """A run that waits for labels, in a terminal: the same command goes on with it."""

    run: str
    words: str


def halt_run(halt: Halt, run: str, human: HumanConfig) -> State[Waiting]:
    """End the present flow run as refused, suspend it until its batch is closed, or say that it waits.

    It is the last thing a flow does: it may be resumed at once, and then nothing of it must still be at work.
    """
    if halt.progress is None:
        return Cancelled(name="Refused", message=halt.words)
    if not is_deployed():
        words = (
            f"{halt.words}. People label it on the page of `stemma label serve`; "
            f"once it is closed, the same command with --name {run} goes on"
        )
        return Completed(name="WaitsForLabels", message=words, data=Waiting(run=run, words=words))
    page = waiting_page(run, halt.batch, human.page, halt.progress)
    title = f"Run {run} waits for people's labels"
    show_page(page_key("labels", run), page, title, get_run_logger().warning)
    waits = {"id": f"stemma.batch.{halt.batch}", "name": halt.batch}
    tell(find_project(Path.cwd()), LABELS_WANTED, waits, f"{title}. {halt.words}: {human.page}", run=run)
    ask = f"{halt.words}. [Label]({human.page})\n\nThe run goes on by itself once batch {halt.batch} is closed."
    suspend_flow_run(Review.with_initial_data(description=ask), key=pause_key(pauses()))
    raise AssertionError("a flow run that is suspended goes no further")
