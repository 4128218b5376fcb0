"""Somebody labels a batch by keyboard, and nothing that goes wrong on the way loses or doubles a verdict."""

import re

from playwright.sync_api import Page, Route, expect

from tests.labelling import batch, stored_rows
from tests.labelling_web.conftest import ServedSite, Site
from tests.labelling_web.pressing import press
from tests.labelling_web.showcase import rank_batch

KEYS = {"1": "first", "2": "second", "t": "tie", "b": "both_bad", "s": "skip"}


def said(site: Site) -> list[tuple[int, str]]:
    return [(row.item_id - 1, row.choice) for row in stored_rows(site.store)]


def test_a_batch_by_keyboard_with_an_undo(site: Site, sized: Page) -> None:
    desk = sized
    site.store.make_batch(batch(6))
    desk.goto(site.link("ada"))
    expect(desk).to_have_url(f"{site.url}/label/b")
    assert "sign-in" not in desk.url
    expected = [(press(desk, key), choice) for key, choice in list(KEYS.items())[:4]]
    expect(desk.locator("#status")).to_have_text("Both bad")
    expect(desk.locator("body")).to_contain_text("4 done")
    desk.keyboard.press("u")
    expect(desk.locator("body")).to_contain_text("3 done")
    expect(desk.locator("#status")).to_have_text("Taken back")
    expected.append((expected[-1][0], "undo"))
    desk.keyboard.press("+")
    desk.keyboard.press("+")
    desk.keyboard.press("n")
    desk.keyboard.type("1 is clearly better")
    desk.keyboard.press("Escape")
    expected += [(press(desk, "1"), "first"), (press(desk, "2"), "second")]
    expected.append((press(desk, "s"), "skip"))
    expect(desk.locator("h1")).to_have_text("Nothing left for you here")
    assert said(site) == expected
    noted = stored_rows(site.store)[5]
    assert (noted.strength, noted.note) == (2, "1 is clearly better")
    assert {verdict.choice for verdict in site.store.verdicts("b")} == {"first", "second", "tie", "skip"}
    texts = {verdict.prompt_id: verdict for verdict in site.store.verdicts("b")}
    assert texts["p0"].first in {"answer 0/0", "answer 0/1"}


def test_what_is_shown_first_is_what_is_recorded_as_first(site: Site, desk: Page) -> None:
    site.store.make_batch(batch(4))
    desk.goto(site.link("ada"))
    shown = []
    for _ in range(4):
        shown.append(desk.locator(".answer .rendered").first.inner_text())
        press(desk, "1")
    assert [verdict.first for verdict in site.store.verdicts("b")] == shown
    assert {text[-1] for text in shown} == {"0", "1"}, "in random order"


def test_a_network_that_fails_loses_nothing(site: Site, sized: Page) -> None:
    desk = sized
    site.store.make_batch(batch(4))
    desk.goto(site.link("ada"))
    first = press(desk, "1")
    desk.context.set_offline(True)
    desk.keyboard.press("2")
    expect(desk.locator("#status")).to_contain_text("No connection")
    expect(desk.locator("#status")).to_contain_text("kept on this device")
    desk.keyboard.press("2")
    desk.keyboard.press("1")
    assert len(said(site)) == 1
    desk.context.set_offline(False)
    expect(desk.locator("body")).to_contain_text("2 done")
    third = press(desk, "t")
    assert [item for item, _ in said(site)] == [first, 1, third]
    assert [choice for _, choice in said(site)] == ["first", "second", "tie"]


def test_a_server_that_is_killed_and_started_again_loses_nothing(served_site: ServedSite, sized: Page) -> None:
    site, desk = served_site, sized
    site.store.make_batch(batch(5))
    desk.goto(site.link("ada"))
    press(desk, "1")
    site.kill()
    desk.keyboard.press("2")
    expect(desk.locator("#status")).to_contain_text("No connection")
    site.start()
    expect(desk.locator("body")).to_contain_text("2 done")
    assert said(site) == [(0, "first"), (1, "second")]

    # The same, but the page is left and opened again before the server is back.
    site.kill()
    desk.keyboard.press("t")
    expect(desk.locator("#status")).to_contain_text("No connection")
    desk.goto("about:blank")
    site.start()
    desk.goto(f"{site.url}/label/b")
    expect(desk.locator("body")).to_contain_text("3 done")
    press(desk, "b")
    press(desk, "1")
    assert said(site) == [(0, "first"), (1, "second"), (2, "tie"), (3, "both_bad"), (4, "first")]
    assert site.store.batch("b").state == "closed"  # type: ignore[union-attr]


def test_an_answer_that_was_recorded_but_not_heard_counts_once(site: Site, desk: Page) -> None:
    site.store.make_batch(batch(3))
    desk.goto(site.link("ada"))
    lost: list[int] = []

    def lose_the_answer(route: Route) -> None:
        if not lost:
            lost.append(route.fetch(max_redirects=0).status)
            route.abort()
        else:
            route.continue_()

    desk.route(re.compile("/verdict$"), lose_the_answer)
    press(desk, "1")
    press(desk, "2")
    assert lost == [200]
    assert said(site) == [(0, "first"), (1, "second")]


def test_double_clicks_and_two_tabs_count_once(site: Site, desk: Page) -> None:
    site.store.make_batch(batch(3))
    desk.goto(site.link("ada"))
    other = desk.context.new_page()
    other.goto(f"{site.url}/label/b")
    desk.get_by_role("button", name="First is better").dblclick()
    expect(desk.locator("body")).to_contain_text("1 done")
    other.get_by_role("button", name="Second is better").click()
    expect(other.locator("body")).to_contain_text("1 done")
    assert said(site) == [(0, "first")]


def test_a_ranking_by_keyboard_and_by_hand(site: Site, desk: Page) -> None:
    site.store.make_batch(rank_batch())
    desk.goto(site.link("ada"))
    order = [desk.locator(".answer .rendered").nth(place).inner_text() for place in range(4)]
    for key in ("3", "1", "t", "4", "2"):
        desk.keyboard.press(key)
    assert [desk.locator("select").nth(place).input_value() for place in range(4)] == ["2", "3", "1", "2"]
    press(desk, "Enter")
    answers = rank_batch().items[0].answers
    index = [answers.index(text) for text in order]
    assert stored_rows(site.store)[0].ranking == [[index[2]], sorted([index[0], index[3]]), [index[1]]]
    for place in range(4):
        desk.locator("select").nth(place).select_option(str(place + 1))
    desk.get_by_role("button", name="Save ranking").click()
    expect(desk.locator("body")).to_contain_text("2 done")
    press(desk, "s")
    assert len(site.store.verdicts("ranking")) == 12


def test_it_works_without_script(site: Site, plain_desk: Page) -> None:
    desk = plain_desk
    site.store.make_batch(batch(2))
    desk.goto(site.link("ada"))
    expect(desk.get_by_text("Single-key shortcuts")).to_be_hidden()
    desk.get_by_role("button", name="First is better").click()
    desk.get_by_role("button", name="Undo").click()
    desk.get_by_role("button", name="Tie").click()
    desk.get_by_role("button", name="Skip").click()
    expect(desk.locator("h1")).to_have_text("Nothing left for you here")
    assert [choice for _, choice in said(site)] == ["first", "undo", "tie", "skip"]
