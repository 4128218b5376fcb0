"""Answering by a key, in the browser."""

from playwright.sync_api import Page, expect


def press(desk: Page, key: str) -> int:
    """Answer the item on screen by a key, and wait for the next one; returns the item's number."""
    form = desk.locator("[data-item]")
    request = desk.locator("form[data-verdict] [name=request]").input_value()
    item = int(form.get_attribute("data-item") or "")
    desk.keyboard.press(key)
    expect(desk.locator(f"form[data-verdict] [name=request][value='{request}']")).to_have_count(0)
    return item
