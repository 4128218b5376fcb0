"""The pictures in the docs: STEMMA_SCREENSHOTS=docs/images pytest tests/labelling_web/test_pictures.py"""

import os
import random
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from stemma.labelling.store.batch import NewBatch, NewItem
from stemma.labelling.store.shown import PairChoice
from tests.labelling import item, person, say
from tests.labelling_web.conftest import Site, new_context
from tests.labelling_web.showcase import BINARY, GUIDELINES, TURNS

FOLDER = os.environ.get("STEMMA_SCREENSHOTS")
CHOICES: tuple[PairChoice, ...] = ("first", "second", "tie", "skip")
pytestmark = pytest.mark.skipif(not FOLDER, reason="STEMMA_SCREENSHOTS names no folder for the pictures")


def test_pictures(site: Site, browser: Browser) -> None:
    folder = Path(FOLDER or "")
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(3)  # noqa: S311 -- a picture's dice
    plain = tuple(item(number) for number in range(60))
    gold = tuple(NewItem(f"g{number}", TURNS, BINARY, gold=0) for number in range(20))
    source = {"run": "rlhf-12", "sample": "5d41402abc4b2a76b9719d911017c592.dir"}
    site.store.make_batch(NewBatch("rlhf-12", (*plain, *gold), GUIDELINES, overlap=2, source=source, gold_share=0.2))
    for name in ("ada", "ben", "cleo"):
        who = person(site.store, name)
        for _ in range(30):
            say(site.store, who, chance.choices(CHOICES, [6, 3, 2, 1])[0], "rlhf-12")
    admin = new_context(browser).new_page()
    admin.goto(site.link("eve", "admin"))
    admin.goto(f"{site.url}/admin/batch/rlhf-12")
    admin.screenshot(path=folder / "label-admin.png")
    admin.goto(f"{site.url}/admin")
    if "extra" in os.environ:
        admin.screenshot(path=folder / "extra-admin.png")
    site.store.close("rlhf-12", "eve", "picture", partial=True)

    others = tuple(item(number) for number in range(11))
    site.store.make_batch(NewBatch("rlhf-13", (*others, NewItem("p0", TURNS, BINARY)), GUIDELINES))
    who = person(site.store, "ada")
    for _ in range(11):
        say(site.store, who, "first", "rlhf-13")
    for size in ("desktop", "phone"):
        page = new_context(browser, size).new_page()
        page.goto(site.link("ada"))
        page.wait_for_timeout(300)
        page.screenshot(path=folder / f"label-{size}.png", full_page=size == "phone" and "extra" in os.environ)
