"""Where admins see how labelling goes, and act on it."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from stemma.errors import LabelError
from stemma.labelling.quality.agreement import alpha
from stemma.labelling.quality.votes import gather
from stemma.labelling.store.batch import Batch
from stemma.labelling.store.leases import new_request
from stemma.labelling.web.item_form import sent_answer
from stemma.labelling.web.pages import page
from stemma.labelling.web.visit import BatchId, Form, ItemNumber, SentForm, acting, governing, store_of, visiting

routes = APIRouter(prefix="/admin")
MOST_CASES = 50


@routes.get("")
def overview(request: Request) -> Response:
    """All batches and all people."""
    visit, store = governing(visiting(request)), store_of(request)
    batches = [(batch, store.progress(batch.id)) for batch in reversed(store.batches())]
    return page("admin", visit, batches=batches, people=store.people.everybody())


@routes.get("/batch/{batch_id}")
def one_batch(request: Request, batch_id: BatchId) -> Response:
    """A batch: progress, the annotators' work, and what is left to adjudicate."""
    visit, store = governing(visiting(request)), store_of(request)
    batch = _batch(request, batch_id)
    report = store.review.report(batch_id)
    return page(
        "batch",
        visit,
        batch=batch,
        progress=store.progress(batch_id),
        report=report,
        cases=report.open_disagreements[:MOST_CASES],
        alpha=alpha(gather(store.verdicts(batch_id))),
    )


@routes.post("/batch/{batch_id}/close")
def close(request: Request, batch_id: BatchId, form: SentForm) -> Response:
    """Close a batch."""
    visit = governing(acting(request, form))
    is_partial = form.get("partial") == "yes"
    store_of(request).close(batch_id, visit.person.name, _reason(form), partial=is_partial)
    return RedirectResponse(f"/admin/batch/{batch_id}", 303)


@routes.get("/batch/{batch_id}/item/{item}")
def one_item(request: Request, batch_id: BatchId, item: ItemNumber) -> Response:
    """An item with what annotators said of it, for a final verdict."""
    visit, store = governing(visiting(request)), store_of(request)
    batch = _batch(request, batch_id)
    shown = store.review.shown(visit.person, batch_id, item, new_request())
    said = store.review.said(batch_id, item)
    return page("adjudicate", visit, batch=batch, shown=shown, said=said, place_of=shown.order.index)


@routes.post("/batch/{batch_id}/item/{item}")
def adjudicate(request: Request, batch_id: BatchId, item: ItemNumber, form: SentForm) -> Response:
    """Record a final verdict."""
    visit = governing(acting(request, form))
    store_of(request).review.adjudicate(visit.person, batch_id, item, sent_answer(form))
    return RedirectResponse(f"/admin/batch/{batch_id}#disagreements", 303)


@routes.post("/people")
def change_person(request: Request, form: SentForm) -> Response:
    """Pause, resume, revoke or withdraw somebody."""
    visit, people = governing(acting(request, form)), store_of(request).people
    acts = {"pause": people.pause, "resume": people.resume, "revoke": people.revoke, "withdraw": people.withdraw}
    act = form.get("act")
    if act not in acts:
        raise LabelError("there is no such act")
    reason = _reason(form) if act == "withdraw" else form.get("reason")
    acts[act](form.get("name"), visit.person.name, reason)
    return RedirectResponse("/admin#people", 303)


def _batch(request: Request, batch_id: str) -> Batch:
    batch = store_of(request).batch(batch_id)
    if batch is None:
        raise LabelError(f"there is no batch {batch_id}")
    return batch


def _reason(form: Form) -> str:
    if not form.get("reason"):
        raise LabelError("say why: others will read it")
    return form.get("reason")
