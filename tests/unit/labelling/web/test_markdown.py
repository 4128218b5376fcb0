"""Whatever a model writes becomes text, and only text."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.labelling.web.markdown import LONGEST, as_html, language, plain

BLOCKS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "ul", "ol", "li", "hr"}
TABLES = {"table", "thead", "tbody", "tr", "th", "td"}
TAGS = {"em", "strong", "code", "a", "span", "br", *BLOCKS, *TABLES}
ATTRIBUTES = {"dir", "href", "title", "rel", "target", "class", "start"}
PIECES = [
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<", ">", '"', "'", "&", "&#60;script&#62;", "\0"),
    *(
        "[a](",
        "javascript:",
        "JaVaScRiPt&#58;",
        "data:text/html,",
        "vbscript:",
        "https://e.org",
        "mailto:a@b.c",
        ")",
        "]",
    ),
    *("![", "](", "<https://e.org>", "<javascript:alert(1)>", '"onclick="alert(1)', "[a]: javascript:x", "[a]", "\\"),
    *("`", "```", "\n", "    ", "> ", "- ", "1. ", "# ", "|a|b|\n|-|:-:|\n|c|d|", "*", "**", "_", "مرحبا", "中文", "x"),
]


class Seen(HTMLParser):
    """The tags and links of a text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=30).map("".join))
def test_nothing_but_known_tags_and_harmless_links_comes_out(text: str) -> None:
    seen = Seen(str(as_html(text)))
    assert seen.tags <= TAGS
    assert seen.attributes <= ATTRIBUTES
    assert all(re.match(r"https?://|mailto:", link, re.IGNORECASE) for link in seen.links)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**a** `b`", '<p dir="auto"><strong>a</strong> <code>b</code></p>\n'),
        ("<b>x</b>", '<p dir="auto">&lt;b&gt;x&lt;/b&gt;</p>\n'),
        ("```py\na < b\n```", '<pre dir="ltr"><code>a &lt; b\n</code></pre>\n'),
        ("![p](https://e.org/p.png)", '<p dir="auto"><span class="image">[image: p https://e.org/p.png]</span></p>\n'),
        ("[x](javascript:alert(1))", '<p dir="auto">[x](javascript:alert(1))</p>\n'),
    ],
)
def test_markdown_by_hand(text: str, html: str) -> None:
    assert as_html(text) == html


def test_a_link_leaves_without_saying_where_from() -> None:
    assert 'rel="noopener noreferrer nofollow" target="_blank"' in str(as_html("[x](https://e.org)"))


def test_a_text_that_is_too_long_stays_as_it_is() -> None:
    assert as_html("x" * LONGEST) is not None
    assert as_html("x" * (LONGEST + 1)) is None
    assert plain("a\0b") == "a␀b"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Where is Paris?", ""),
        ("中国的首都是哪里？", "zh"),
        ("東京はどこですか", "ja"),
        ("서울은 어디입니까", "ko"),
        ("ما هي عاصمة مصر؟", "ar"),
        ("שלום עולם", "he"),
        ("12 + 30 = 42", ""),
        ("The word 你好 means hello in Chinese", ""),
        ("", ""),
    ],
)
def test_the_language_that_a_writing_calls_for(text: str, code: str) -> None:
    assert language(text) == code
