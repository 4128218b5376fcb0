"""The pictures in the docs: STEMMA_SCREENSHOTS=docs/images pytest tests/labelling_web/test_pictures.py"""

import os
import random
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from stemma.labelling.store.batch import NewBatch, NewItem
from stemma.labelling.store.people import Person
from stemma.labelling.store.shown import PairChoice
from tests.labelling import item, person, say, shown_to
from tests.labelling_web.conftest import Site, new_context
from tests.labelling_web.showcase import BINARY, GUIDELINES, TURNS

FOLDER = os.environ.get("STEMMA_SCREENSHOTS")
CHOICES: tuple[PairChoice, ...] = ("first", "second", "tie", "skip")
pytestmark = pytest.mark.skipif(not FOLDER, reason="STEMMA_SCREENSHOTS names no folder for the pictures")


class Team:
    """People who take their time."""

    def __init__(self, site: Site) -> None:
        self._store, self._chance, self._passed = site.store, random.Random(3), 0.0  # noqa: S311 -- a picture's dice
        site.store._database.clock = lambda: time.time() + self._passed

    def label(self, who: Person, batch_id: str, count: int) -> None:
        for _ in range(count):
            shown = shown_to(self._store, who, batch_id)
            self._passed += self._chance.uniform(8, 40)
            right = "first" if shown.order[0] == 0 else "second"
            choice = right if self._chance.random() < 0.7 else self._chance.choice(CHOICES)
            say(self._store, who, choice, batch_id)  # type: ignore[arg-type]


def test_pictures(site: Site, browser: Browser) -> None:
    folder = Path(FOLDER or "")
    folder.mkdir(parents=True, exist_ok=True)
    team = Team(site)
    source = {"run": "rlhf-12", "sample": "5d41402abc4b2a76b9719d911017c592.dir"}
    gold = tuple(NewItem(f"g{number}", TURNS, BINARY, gold=0) for number in range(20))
    items = (*(item(number) for number in range(60)), *gold)
    site.store.make_batch(NewBatch("rlhf-12", items, GUIDELINES, overlap=2, source=source, gold_share=0.2))
    for name in ("ada", "ben", "cleo"):
        team.label(person(site.store, name), "rlhf-12", 38)
    page = new_context(browser).new_page()
    page.goto(site.link("eve", "admin"))
    page.goto(f"{site.url}/admin/batch/rlhf-12")
    page.screenshot(path=folder / "label-admin.png")
    site.store.close("rlhf-12", "eve", "for the picture", partial=True)

    items = (*(item(number) for number in range(11)), NewItem("p0", TURNS, BINARY), *(item(n) for n in range(12, 40)))
    site.store.make_batch(NewBatch("rlhf-13", items, GUIDELINES))
    team.label(next(one for one in site.store.people.everybody() if one.name == "ada"), "rlhf-13", 11)
    for size in ("desktop", "phone"):
        page = new_context(browser, size).new_page()
        page.goto(site.link("ada"))
        page.locator(".answer").first.wait_for()
        page.screenshot(path=folder / f"label-{size}.png")
