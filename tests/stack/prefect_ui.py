"""A person at Prefect's UI: opens a deployment's form, fills it in, presses Submit, and looks at what comes of it."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.labelling_web.conftest import FLAGS

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"
PATIENCE = 60_000
"""Milliseconds that a page may take on a machine that has much else to do."""


class PrefectUi:
    """Prefect's UI in a browser's page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self._url = page, url
        page.set_default_timeout(PATIENCE)

    def open_form(self, deployment: str) -> None:
        """Open the form of a deployment, by its id."""
        self.page.goto(f"{self._url}/deployments/deployment/{deployment}/run")
        expect(self.page.get_by_role("button", name="Submit")).to_be_visible(timeout=PATIENCE)

    def fill(self, value: str, *labels: str) -> None:
        """Fill in the field that is found by the labels around it, the outermost first."""
        self._within(labels).locator("input, textarea").first.fill(value)

    def open_section(self, *labels: str) -> None:
        """Open a closed section that is found by the labels around it, the outermost first."""
        self._within(labels).get_by_text("set here", exact=True).first.click()

    def controls(self) -> int:
        """The number of fields, switches and lists of the form's parameters."""
        return self.page.locator(".schema-form-property").locator("input, textarea, .p-select").count()

    def height(self) -> int:
        """The height in pixels of all that the page holds, with what is to be scrolled to."""
        heights = "[...document.querySelectorAll('*')].map(element => element.scrollHeight)"
        return int(self.page.evaluate(f"Math.max(...{heights})"))

    def name(self, run: str) -> None:
        """Give the run a name."""
        self.page.locator(".p-text-input__control").first.fill(run)

    def submit(self) -> None:
        """Press Submit."""
        self.page.get_by_role("button", name="Submit").click()

    def open_run(self, run: str) -> None:
        """Open the page of a flow run, by its id."""
        self.page.goto(f"{self._url}/runs/flow-run/{run}")

    def open_page(self, key: str) -> None:
        """Open the newest page of a key among the artifacts."""
        self.page.goto(f"{self._url}/artifacts/key/{key}")
        self.page.locator("a[href^='/artifacts/artifact/']").first.click()

    def shows(self, words: str, patience: int = PATIENCE) -> None:
        """Wait until the page shows these words."""
        expect(self.page.get_by_text(words).first).to_be_visible(timeout=patience)

    def picture(self, name: str, *labels: str) -> None:
        """Keep a picture of the page for the documents, where STEMMA_PICTURES asks for them.

        It shows the field that is found by these labels; without labels, what the page shows.
        """
        if os.environ.get("STEMMA_PICTURES"):
            if labels:
                self._within(labels).scroll_into_view_if_needed()
            self.page.wait_for_load_state("networkidle")
            self.page.screenshot(path=PICTURES / f"{name}.png")

    def _within(self, labels: Sequence[str]) -> Locator:
        """The field that is found by the labels around it, the outermost first."""
        field = self.page.locator("body")
        for label in labels:
            field = _field(field, label)
        return field


@contextmanager
def prefect_ui(url: str) -> Iterator[PrefectUi]:
    """Chromium at Prefect's UI; while it is open, nothing else in this process can run an event loop."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield PrefectUi(browser.new_page(viewport={"width": 1280, "height": 900}), url)
        browser.close()


def _field(place: Locator, label: str) -> Locator:
    own = f"./div[contains(@class, 'p-label__header')]//span[normalize-space() = '{label}']"
    return place.locator(f"xpath=.//div[contains(@class, 'schema-form-property')][{own}]").first
