"""A person who audits models in MLflow's UI alone: starts at its first page, and counts the clicks."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "images"
PATIENCE = 60_000
"""Milliseconds that a page may take on a machine that has much else to do."""
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
MOST_CLICKS = 3
"""More than that an auditor has no patience for."""


class Auditor:
    """MLflow's UI in a browser's page."""

    def __init__(self, page: Page, url: str) -> None:
        self._page, self._url, self.clicks = page, url, 0
        page.set_default_timeout(PATIENCE)
        # What MLflow has to say of its new features, once in each browser.
        page.add_locator_handler(page.get_by_role("dialog"), lambda: page.keyboard.press("Escape"))

    def begin(self) -> None:
        """Go to MLflow's first page, as a browser that was never there."""
        self._page.context.clear_cookies()
        self._page.goto("about:blank")
        self._page.goto(self._url)
        self._page.evaluate("localStorage.clear()")
        self._page.reload()
        self.clicks = 0
        self._click(self._page.get_by_text("Model training", exact=True))

    def open_model(self, model: str) -> None:
        """The page of a registered model."""
        self.begin()
        self._link("Model registry")
        self._link(model)

    def open_run(self, experiment: str, run: str) -> None:
        """The page of a run."""
        self.begin()
        self._link(experiment)
        self._link(run)

    def reads(self, *words: str) -> None:
        """See that the page says these words."""
        for text in words:
            expect(self._page.locator("body")).to_contain_text(text, timeout=PATIENCE)

    def picture(self, name: str) -> None:
        """Keep a picture of the page for the documents, where STEMMA_PICTURES asks for them."""
        if os.environ.get("STEMMA_PICTURES"):
            self._page.wait_for_timeout(2000)
            self._page.screenshot(path=PICTURES / f"{name}.png")

    def _link(self, name: str) -> None:
        self._click(self._page.get_by_role("link", name=name, exact=True))

    def _click(self, place: Locator) -> None:
        place.first.click()
        self.clicks += 1


@contextmanager
def auditor_of(root: Path, database: Path) -> Iterator[Auditor]:
    """A real `mlflow server` on loopback over a project's store, and an auditor in front of it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("mlflow")), "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{database}",
    ]  # fmt: skip
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (root / "mlflow-server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/health", root / "mlflow-server.log")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            try:
                yield Auditor(browser.new_page(viewport={"width": 1400, "height": 900}), f"http://127.0.0.1:{port}")
            finally:
                browser.close()
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait(url: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 -- our own server on loopback
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        else:
            return
