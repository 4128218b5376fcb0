"""The page of a family tree: whole, closed to the world, and safe to show whatever the names are."""

import json
import random
import re
from contextlib import closing
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from stemma.cli import main
from stemma.lineage.index import Index
from stemma.lineage.layered import GAP, Layout, lay_out
from stemma.lineage.names import find_model
from stemma.lineage.store import Store
from stemma.lineage.trace import trace
from stemma.lineage.trace_page import trace_html
from tests.family import FamilyProject, Made

VOID = {"meta"}
NASTY = '</title><script>alert("1")</script>&amp;'
LEVELS = {"h1": 1, "h2": 2, "h3": 3}


class Page(HTMLParser):
    """A page's elements; every element must be closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [str(attributes[attribute]) for _, attributes in self.elements if attribute in attributes]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a policy whose labeller, settings and raw input have names that no page should trust."""
    project = FamilyProject(tmp_path_factory.mktemp("page") / "project")
    raw = project.put(b"[]", ".dir")
    label = project.artifact("label", {"verdicts.jsonl": json.dumps({"annotator": NASTY}).encode()})
    ppo = project.artifact("ppo", {"model.safetensors": b"p"})
    evaluation = project.artifact("eval_ppo", {"report.json": b"{}"})
    stages = [
        Made("label", label, 3, {f"inputs/{NASTY}.jsonl": raw}, params={"label": {"source": NASTY}}),
        Made("ppo", ppo, 4, {"artifacts/label": label}),
        Made("eval_ppo", evaluation, 5, {"artifacts/ppo": ppo}),
    ]
    project.run("calm", stages)
    with closing(Index(project.path)) as index, Store(project.path) as store:
        model = find_model(project.path, index, evaluation)
        told = trace(index, store, model, {"label": {"source": "<b>simulated</b>"}})
        page = trace_html(told)
        assert page == trace_html(trace(index, store, model, {"label": {"source": "<b>simulated</b>"}}))
    return page


def test_it_is_well_formed_and_every_link_leads_somewhere(text: str) -> None:
    page = Page(text)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {f"#{name}" for name in ids} >= set(page.values("href"))
    assert {name for value in page.values("aria-labelledby") for name in value.split()} <= set(ids)


def test_it_asks_the_world_for_nothing(text: str) -> None:
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {tag for tag, _ in page.elements}
    assert not page.values("src")
    assert all(value.startswith("#") for value in page.values("href"))
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#arrow"}
    assert "//" not in "".join(re.findall(r"<style>.*?</style>", text, re.DOTALL))
    policies = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_names_are_shown_as_they_are_and_run_nothing(text: str) -> None:
    page = Page(text)
    shown = "".join(page.texts)
    assert f"{NASTY}: 1 verdict" in shown
    assert f"inputs/{NASTY}.jsonl" in shown
    assert repr(NASTY) in shown
    assert repr("<b>simulated</b>") in shown


def test_whoever_cannot_see_it_can_read_it(text: str) -> None:
    page = Page(text)
    levels = [LEVELS[tag] for tag, _ in page.elements if tag in LEVELS]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.all("html")[0]["lang"] == "en"
    (svg,) = page.all("svg")
    assert svg["aria-labelledby"] == "drawing-title drawing-text"
    assert re.search(r"ppo \w{10} is made from label \w{10}", "".join(page.texts))
    labels = [str(link["aria-label"]) for link in page.all("a") if "aria-label" in link]
    kinds = ["evaluation", "model", "dataset", "raw data"]
    assert [label.rsplit(", ", 3)[1] for label in labels] == kinds


def test_the_command_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = FamilyProject(tmp_path / "project")
    project.run("calm", [Made("ppo", project.artifact("ppo", {"model.safetensors": b"p"}), 4, {})])
    monkeypatch.chdir(project.path)
    assert main(["trace", "calm", "--html", str(tmp_path / "calm.html")]) == 0
    assert "ppo of run calm" in "".join(Page((tmp_path / "calm.html").read_text("utf-8")).texts)
    assert main(["trace", "calm", "--html", str(tmp_path / "nowhere" / "calm.html")]) == 2
    assert "cannot be written (No such file or directory)" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(20))
def test_a_drawing_reads_from_left_to_right_and_nothing_overlaps(seed: int) -> None:
    """Random families: an edge never goes back, no two boxes meet, and no line runs through a box."""
    chance = random.Random(seed)  # noqa: S311 -- a test's dice
    names = [f"n{number}" for number in range(chance.randint(1, 30))]
    parents = {
        name: chance.sample(names[:number], chance.randint(0, min(number, 4))) for number, name in enumerate(names)
    }
    layout = lay_out(parents)
    assert set(layout.boxes) == set(names)
    assert set(layout.lines) == {(parent, child) for child, found in parents.items() for parent in found}
    for (parent, child), places in layout.lines.items():
        columns = [column for column, _ in places]
        assert columns == list(range(layout.boxes[parent][0], layout.boxes[child][0] + 1))
    assert not _collisions(layout)
    assert lay_out(parents) == layout


def _collisions(layout: Layout) -> list[str]:
    boxes = layout.boxes.items()
    found = [
        f"{one} and {other}"
        for one, (column, row) in boxes
        for other, (column2, row2) in boxes
        if one < other and column == column2 and abs(row - row2) < GAP - 1e-9
    ]
    half = 58 / 80 / 2
    for edge, places in layout.lines.items():
        for column, row in places[1:-1]:
            found += [f"{edge} through {name}" for name, (c, r) in boxes if c == column and abs(row - r) < half]
    return found
