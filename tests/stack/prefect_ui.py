"""A person at Prefect's UI: opens a deployment's form, fills it in, presses Submit, and looks at what comes of it."""

import os
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

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
        place: Page | Locator = self.page
        for label in labels:
            place = _field(place, label)
        place.locator("input, textarea").first.fill(value)

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

    def picture(self, name: str) -> None:
        """Keep a picture of the page for the documents, where STEMMA_PICTURES asks for them."""
        if os.environ.get("STEMMA_PICTURES"):
            self.page.wait_for_load_state("networkidle")
            self.page.screenshot(path=PICTURES / f"{name}.png")


def _field(place: Page | Locator, label: str) -> Locator:
    own = f"./div[contains(@class, 'p-label__header')]//span[normalize-space() = '{label}']"
    return place.locator(f"xpath=.//div[contains(@class, 'schema-form-property')][{own}]").first
