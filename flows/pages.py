"""Pages in Prefect's UI, its artifacts: a view, so a server that does not answer costs a run its page and no more."""

import re
from collections.abc import Callable

import httpx
from prefect.artifacts import create_markdown_artifact


def page_key(kind: str, name: str) -> str:
    """The key of a page in Prefect: small letters, digits and dashes."""
    return f"{kind}-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def show_act(act: str, title: str, words: str, say: Callable[[str], None]) -> None:
    """Put a page on the present flow run which tells of an act; all acts of a kind are one page's versions."""
    show_page(page_key("result", act), f"# {title}\n\n```\n{words}\n```", title, say)


def show_page(key: str, markdown: str, description: str, say: Callable[[str], None]) -> None:
    """Put a page on the present flow run; the newest of its key is what the UI shows first."""
    try:
        create_markdown_artifact(markdown, key=key, description=description)
    except (httpx.HTTPError, OSError) as error:
        say(f"Prefect does not show the page {key}: {type(error).__name__} {error}")
