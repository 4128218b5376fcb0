"""From templates to pages."""

import hashlib
from functools import lru_cache
from importlib.resources import files

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from stemma.labelling.web.markdown import as_html, language, plain
from stemma.labelling.web.visit import Visit

STATIC = {"page.css": "text/css", "label.js": "text/javascript", "icon.svg": "image/svg+xml"}
ROLES = {"system": "System", "user": "User", "assistant": "Assistant"}


def page(template: str, visit: Visit | None = None, status: int = 200, **values: object) -> HTMLResponse:
    """Fill a template."""
    told = {"person": visit and visit.person, "csrf": visit and visit.csrf, "asset": asset, **values}
    return HTMLResponse(_templates().get_template(f"{template}.html").render(told), status)


def message(title: str, words: str, visit: Visit | None = None, status: int = 200) -> HTMLResponse:
    """A page that says one thing."""
    return page("message", visit, status, title=title, words=words)


def asset(name: str) -> str:
    """The address of a static file, which changes with its content."""
    return f"/static/{name}?v={hashlib.sha256(static_file(name)).hexdigest()[:12]}"


@lru_cache(maxsize=len(STATIC))
def static_file(name: str) -> bytes:
    """A static file's bytes."""
    return files("stemma.labelling.web").joinpath("static", name).read_bytes()


def duration(seconds: float) -> str:
    """Seconds in words, roughly."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def percent(part: int, whole: int) -> str:
    """A share in words."""
    return f"{100 * part / whole:.0f} %" if whole else "–"


@lru_cache(maxsize=1)
def _templates() -> Environment:
    # Every template escapes what it is given; only Markdown that was made safe comes as markup.
    templates = Environment(
        loader=PackageLoader("stemma.labelling.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(markdown=as_html, plain=plain, language=language, duration=duration, percent=percent)
    templates.globals["roles"] = ROLES
    return templates
