"""Texts of models and people as safe HTML: Markdown without HTML, images or links that run anything."""

import re
import unicodedata
from collections import Counter
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

LONGEST = 20_000
"""Longer texts are shown as they are: the time that Markdown takes grows with them, at worst by their square."""
LINKS = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
SCRIPTS = {"CJK": "zh", "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "ARABIC": "ar", "HEBREW": "he"}
SAMPLE = 2000


@lru_cache(maxsize=512)
def as_html(text: str) -> Markup | None:
    """Render Markdown; None where the text is too long for it."""
    if len(text) > LONGEST:
        return None
    # Markdown-it escapes all HTML of the text, because its option `html` is off.
    return Markup(_renderer().render(text))  # noqa: S704


def plain(text: str) -> str:
    """The text as it is; the null character, which HTML cannot hold, becomes the sign for it."""
    return text.replace("\0", "␀")


@lru_cache(maxsize=512)
def language(text: str) -> str:
    """The language code that a text's writing calls for, so that its signs are drawn and read out right.

    Empty where the writing does not tell, as Latin letters do not.
    """
    counts = Counter(_script(sign) for sign in text[:SAMPLE] if sign.isalpha())
    if not counts:
        return ""
    if counts["ja"] and counts["ja"] + counts["zh"] > sum(counts.values()) / 2:
        return "ja"
    code, count = counts.most_common(1)[0]
    return code if count > sum(counts.values()) / 3 else ""


def _script(sign: str) -> str:
    return SCRIPTS.get(unicodedata.name(sign, "").split(" ")[0], "")


@lru_cache(maxsize=1)
def _renderer() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table")
    markdown.validateLink = lambda url: bool(LINKS.match(url.strip()))  # type: ignore[method-assign]
    markdown.add_render_rule("image", _image)
    markdown.add_render_rule("link_open", _link)
    for block in ("paragraph", "heading", "blockquote", "bullet_list", "ordered_list", "list_item", "th", "td"):
        markdown.add_render_rule(f"{block}_open", _block)
    for code in ("fence", "code_block"):
        markdown.add_render_rule(code, _code)
    return markdown


def _block(self: RendererHTML, tokens: list[Token], place: int, options: Any, _: MutableMapping[str, Any]) -> str:
    # Each block has the direction of its own first letter: an Arabic paragraph may follow an English one.
    tokens[place].attrSet("dir", "auto")
    # A table's alignment comes as a style, which the content security policy forbids.
    tokens[place].attrs.pop("style", None)
    return self.renderToken(tokens, place, options, _)


def _link(self: RendererHTML, tokens: list[Token], place: int, options: Any, _: MutableMapping[str, Any]) -> str:
    tokens[place].attrSet("rel", "noopener noreferrer nofollow")
    tokens[place].attrSet("target", "_blank")
    return self.renderToken(tokens, place, options, _)


def _image(_: RendererHTML, tokens: list[Token], place: int, *__: object) -> str:
    # Never loaded: whoever owns its address would learn who labels, and when.
    told = f"[image: {tokens[place].content} {tokens[place].attrGet('src')}]"
    return f'<span class="image">{escape(told)}</span>'


def _code(_: RendererHTML, tokens: list[Token], place: int, *__: object) -> str:
    return f'<pre dir="ltr"><code>{escape(tokens[place].content)}</code></pre>\n'
