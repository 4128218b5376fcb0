"""Where annotators work: an item, a verdict on it, the next item."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from stemma.labelling.store.desk import Outcome
from stemma.labelling.web.item_form import sent_answer
from stemma.labelling.web.pages import message, page
from stemma.labelling.web.visit import BatchId, SentForm, Visit, acting, store_of, visiting

routes = APIRouter(prefix="/label")
REFUSED = {
    "too late": ("This batch has ended", "It was closed in the meantime, so this verdict no longer counts."),
    "not now": ("You are paused", "An admin has paused your work. This verdict was not recorded."),
}
"""The sender must not try these again."""


@routes.get("")
def first_batch(request: Request) -> Response:
    """Go to the first open batch that has something for the annotator."""
    visit, store = visiting(request), store_of(request)
    if visit.person.state != "active":
        return _paused(visit)
    for batch in store.batches():
        if batch.state == "open" and store.desk.next_item(visit.person, batch.id):
            return RedirectResponse(f"/label/{batch.id}", 303)
    return page("done", visit, batch=None, standing=None)


@routes.get("/{batch_id}")
def next_item(request: Request, batch_id: BatchId) -> Response:
    """Show the annotator's item of a batch."""
    return _item(request, visiting(request), batch_id)


@routes.post("/{batch_id}/verdict")
def give_verdict(request: Request, batch_id: BatchId, form: SentForm) -> Response:
    """Record a verdict."""
    visit = acting(request, form)
    outcome = store_of(request).desk.answer(visit.person, batch_id, sent_answer(form))
    return _after(request, visit, batch_id, outcome)


@routes.post("/{batch_id}/undo")
def undo(request: Request, batch_id: BatchId, form: SentForm) -> Response:
    """Take a verdict back."""
    visit = acting(request, form)
    outcome = store_of(request).desk.undo(visit.person, batch_id, form.get("request"))
    return _after(request, visit, batch_id, outcome)


def _after(request: Request, visit: Visit, batch_id: str, outcome: Outcome) -> Response:
    if outcome in REFUSED:
        return message(*REFUSED[outcome], visit, 409)
    if "x-script" in request.headers:
        # The page's script puts the next item in place by itself, which saves a round trip.
        return _item(request, visit, batch_id)
    return RedirectResponse(f"/label/{batch_id}", 303)


def _item(request: Request, visit: Visit, batch_id: str) -> Response:
    store = store_of(request)
    batch = store.batch(batch_id)
    if batch is None:
        return message("No such batch", f"There is no batch called {batch_id}.", visit, 404)
    if visit.person.state != "active":
        return _paused(visit)
    standing = store.desk.standing(visit.person, batch_id)
    shown = store.desk.next_item(visit.person, batch_id) if batch.state == "open" else None
    if shown is None:
        return page("done", visit, batch=batch, standing=standing)
    items, waiting = request.app.state.items_left(batch_id)
    left = max(1, min(waiting, items - standing.given))
    return page(shown.form, visit, batch=batch, shown=shown, standing=standing, left=left)


def _paused(visit: Visit) -> Response:
    return message("You are paused", "An admin has paused your work; what you labelled is kept.", visit)
