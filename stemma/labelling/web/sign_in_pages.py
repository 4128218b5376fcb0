"""Signing in by a personal link, and out."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from stemma.labelling.store.people import SESSION_SECONDS
from stemma.labelling.web.guard import COOKIE, Allowance, address
from stemma.labelling.web.pages import message, page
from stemma.labelling.web.visit import SentForm, SignedOutError, acting, store_of, visiting

routes = APIRouter()


@routes.get("/")
def start(request: Request) -> Response:
    """Go where the person works; say how to sign in where nobody is."""
    try:
        visit = visiting(request)
    except SignedOutError:
        return page("sign_in")
    return RedirectResponse("/admin" if visit.person.role == "admin" else "/label", 303)


@routes.get("/sign-in/{token}")
def sign_in(request: Request, token: str) -> Response:
    """Start a session, and leave the address that holds the token."""
    tries: Allowance = request.app.state.sign_in_failures
    if tries.left(address(request.scope)) < 1:
        words = "Too many links that do not work were tried from your network. Wait a minute, then try again."
        return message("Wait a minute", words, status=429)
    secret = store_of(request).people.sign_in(token)
    if secret is None:
        tries.use(address(request.scope))
        words = "It was revoked, or replaced by a newer one, or part of it is missing. Ask for a new one."
        return message("This link does not work", words, status=403)
    answer = RedirectResponse("/", 303)
    # Lax, because a strict cookie would not be sent on the way here from a mail.
    answer.set_cookie(
        COOKIE, secret, SESSION_SECONDS, httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )
    return answer


@routes.post("/sign-out")
def sign_out(request: Request, form: SentForm) -> Response:
    """End the session."""
    store_of(request).people.sign_out(acting(request, form).secret)
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(COOKIE)
    return answer
