"""What the pages look like to everybody: assistive technology, all writings, and texts that mean harm."""

import re
from dataclasses import replace
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from stemma.labelling.store.batch import Form, NewBatch
from stemma.labelling.store.shown import Answer
from tests.labelling import batch, item, person, say
from tests.labelling_web.conftest import Site
from tests.labelling_web.pressing import press
from tests.labelling_web.showcase import pair_batch, rank_batch


def axe_findings(page: Page) -> list[str]:
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    grave = [one for one in found if one["impact"] in {"serious", "critical"}]
    return [f"{one['id']}: {node['html']}" for one in grave for node in one["nodes"]]


def test_axe_finds_nothing_serious(site: Site, sized: Page) -> None:
    is_phone = sized.evaluate("window.innerWidth < 500")
    sized.emulate_media(color_scheme="dark" if is_phone else "light")
    site.store.make_batch(pair_batch())
    site.store.make_batch(rank_batch())
    sized.goto(site.url)
    assert axe_findings(sized) == [], "sign-in"
    sized.goto(site.link("ada"))
    sized.get_by_text("Guidelines").click()
    assert axe_findings(sized) == [], "pair"
    sized.goto(f"{site.url}/label/ranking")
    assert axe_findings(sized) == [], "rank"
    label_rest(site, "ada", rank_batch())
    sized.reload()
    expect(sized.locator("h1")).to_have_text("This batch has ended")
    assert axe_findings(sized) == [], "done"
    sized.goto(site.link("eve", "admin"))
    assert axe_findings(sized) == [], "admin"
    sized.goto(f"{site.url}/admin/batch/ranking")
    assert axe_findings(sized) == [], "batch"
    sized.goto(f"{site.url}/admin/batch/showcase/item/0")
    assert axe_findings(sized) == [], "adjudication"


def label_rest(site: Site, name: str, made: NewBatch) -> None:
    who = next(one for one in site.store.people.everybody() if one.name == name)
    while shown := site.store.desk.next_item(who, made.id):
        ranking = tuple((place,) for place in range(len(shown.answers)))
        site.store.desk.answer(who, made.id, Answer(shown.request_id, ranking=ranking))


def test_texts_that_mean_harm_are_only_texts(site: Site, desk: Page) -> None:
    asked: list[str] = []
    desk.on("request", lambda request: asked.append(request.url))
    faults: list[str] = []
    desk.on("console", lambda message: faults.append(message.text))
    site.store.make_batch(pair_batch())
    desk.goto(site.link("ada"))
    for _ in range(6):
        assert desk.evaluate("window.hacked") is None
        assert desk.locator(".text script, .text img, .text form, .text button, .text iframe").count() == 0
        for link in desk.locator(".text a").all():
            assert re.match(r"https?://|mailto:", link.get_attribute("href") or "")
        assert desk.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "no text widens the page"
        press(desk, "1")
    assert desk.evaluate("window.hacked") is None
    assert all(url.startswith(site.url) for url in asked)
    assert faults == [], "nothing that the content security policy had to stop"


@pytest.mark.parametrize("form", ["pair", "rank"])
def test_an_answer_that_was_cut_is_marked(form: Form, site: Site, desk: Page) -> None:
    site.store.make_batch(replace(batch(items=(replace(item(0), finished=(True, False)),)), form=form))
    desk.goto(site.link("ada"))
    mark = desk.get_by_text("Cut off at the length limit")
    expect(mark).to_have_count(1)
    cut = desk.get_by_role("article").filter(has_text="answer 0/1")
    expect(cut).to_contain_text("Cut off at the length limit")
    expect(cut).to_have_accessible_description("Cut off at the length limit")
    assert axe_findings(desk) == []


def test_chinese_and_arabic_are_marked_and_turned(site: Site, desk: Page) -> None:
    site.store.make_batch(pair_batch())
    desk.goto(site.link("ada"))
    seen = {}
    for _ in range(3):
        text = desk.locator(".turn.user .text").last
        direction = text.locator("p").first.evaluate("p => getComputedStyle(p).direction")
        seen[text.get_attribute("lang")] = direction
        press(desk, "t")
    assert seen == {None: "ltr", "zh": "ltr", "ar": "rtl"}


def test_the_raw_text_and_the_shortcuts_are_the_persons_choice(site: Site, desk: Page) -> None:
    site.store.make_batch(batch(3, guidelines="Be **fair**."))
    desk.goto(site.link("ada"))
    expect(desk.locator(".answer pre.raw").first).to_be_hidden()
    desk.get_by_label("Raw text").check()
    expect(desk.locator(".answer pre.raw").first).to_be_visible()
    expect(desk.locator(".answer .rendered").first).to_be_hidden()
    desk.keyboard.press("1")
    expect(desk.locator("body")).to_contain_text("1 done")
    expect(desk.locator(".answer pre.raw").first).to_be_visible()
    desk.get_by_label("Single-key shortcuts").uncheck()
    desk.keyboard.press("1")
    desk.reload()
    desk.keyboard.press("1")
    expect(desk.get_by_label("Single-key shortcuts")).not_to_be_checked()
    expect(desk.locator("body")).to_contain_text("1 done")


def test_by_tab_and_enter_alone(site: Site, desk: Page) -> None:
    site.store.make_batch(batch(2))
    desk.goto(site.link("ada"))
    names = []
    for _ in range(40):
        desk.keyboard.press("Tab")
        names.append(desk.evaluate("document.activeElement.innerText || document.activeElement.name"))
        if "First is better" in names[-1]:
            break
    desk.keyboard.press("Enter")
    expect(desk.locator("body")).to_contain_text("1 done")
    assert desk.evaluate("document.activeElement.id") == "question", "a screen reader begins with the new item"
    assert len(names) < 12


def test_an_admin_sees_how_it_goes_and_decides(site: Site, sized: Page) -> None:
    desk = sized
    site.store.make_batch(batch(12, overlap=2, gold=6, gold_share=0.3, source={"run": "rlhf-7", "sample": "1f0c.dir"}))
    ada, ben = person(site.store, "ada"), person(site.store, "ben")
    for _ in range(8):
        say(site.store, ada, "first"), say(site.store, ben, "tie")
    desk.goto(site.link("eve", "admin"))
    expect(desk).to_have_url(f"{site.url}/admin")
    expect(desk.get_by_role("row", name="b open")).to_contain_text("of 24")
    desk.get_by_role("link", name="b", exact=True).click()
    expect(desk.get_by_role("row", name="ada")).to_contain_text("0 %")
    cases = desk.locator(".cases a").count()
    assert cases >= 3
    desk.locator(".cases a").first.click()
    desk.get_by_label("Note").fill("ada is right")
    desk.get_by_role("button", name="First is better").click()
    expect(desk.locator(".cases a")).to_have_count(cases - 1)
    assert site.store.verdicts("b")[0].annotator == "eve"

    desk.get_by_label("Reason").fill("enough for now")
    desk.get_by_role("button", name="Close the batch").click()
    expect(desk.locator("main")).to_contain_text("incomplete")
    desk.goto(f"{site.url}/admin/batch/b")
    desk.get_by_label("Reason").fill("enough for now")
    desk.get_by_label("Though opinions are missing").check()
    desk.get_by_role("button", name="Close the batch").click()
    expect(desk.locator("main")).to_contain_text("by eve: enough for now")

    desk.goto(f"{site.url}/admin")
    row = desk.get_by_role("row", name="ben")
    row.get_by_role("button", name="Pause").click()
    expect(row.locator(".state")).to_have_text("paused")
    row.get_by_role("button", name="Withdraw").click()
    expect(desk.locator("main")).to_contain_text("say why")
    desk.goto(f"{site.url}/admin")
    row.get_by_label("Reason").fill("a script")
    row.get_by_role("button", name="Withdraw").click()
    expect(row.locator(".state")).to_have_text("withdrawn")
    assert "ben" not in {one.annotator for one in site.store.verdicts("b")}
