"""Who is asking, and whether a form is one that this site gave them."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Path, Request

from stemma.labelling.store.batch import ID
from stemma.labelling.store.people import Person
from stemma.labelling.store.store import LabelStore
from stemma.labelling.web.guard import session_secret

MOST_FIELDS = 60
BatchId = Annotated[str, Path(pattern=f"^{ID.pattern}$")]
ItemNumber = Annotated[int, Path(ge=0, le=2**31 - 1)]


class SignedOutError(Exception):
    """Nobody is signed in, or the session has ended."""


class StaleFormError(Exception):
    """The form was not given to this session."""


class NotAllowedError(Exception):
    """The page is not for this person."""


@dataclass(frozen=True)
class Visit:
    """A request of somebody who is signed in."""

    person: Person
    secret: str

    @property
    def csrf(self) -> str:
        """What every form of this session carries, and no other site can know."""
        return hmac.new(self.secret.encode(), b"csrf", hashlib.sha256).hexdigest()


class Form:
    """The fields of a sent form."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def get(self, name: str) -> str:
        """A field's text; empty where it was not sent."""
        return self._fields.get(name, [""])[0].strip()


async def posted(request: Request) -> Form:
    """Read a request's form."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return Form(parse_qs(body, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        return Form({})


SentForm = Annotated[Form, Depends(posted)]


def store_of(request: Request) -> LabelStore:
    """The store that this site serves."""
    store: LabelStore = request.app.state.store
    return store


def visiting(request: Request) -> Visit:
    """Who is asking.

    Raises SignedOutError where nobody is signed in.
    """
    secret = session_secret(request.headers)
    person = store_of(request).people.of_session(secret) if secret else None
    if person is None or secret is None:
        raise SignedOutError
    return Visit(person, secret)


def acting(request: Request, form: Form) -> Visit:
    """Who sent a form.

    Raises SignedOutError where nobody is signed in; StaleFormError where the form is not of this session.
    """
    visit = visiting(request)
    if not hmac.compare_digest(form.get("csrf").encode(), visit.csrf.encode()):
        raise StaleFormError
    return visit


def governing(visit: Visit) -> Visit:
    """The visit, of an admin.

    Raises NotAllowedError for everybody else.
    """
    if visit.person.role != "admin":
        raise NotAllowedError
    return visit
