"""The real site under a real server, and real Chromium."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from stemma.labelling.store.people import Role
from stemma.labelling.store.store import open_store
from stemma.labelling.web.serve import make_server

# Several times what it takes: this machine may have much else to do.
PATIENCE = 20_000
expect.set_options(timeout=PATIENCE)
ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


class Site:
    """The label site on a port of its own, with its store; its server is a thread."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "server.log"
        self.store_url = f"sqlite:///{folder / 'labels.db'}"
        self.store = open_store(self.store_url)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = make_server(self.store, "127.0.0.1", self.port)
        self._thread = threading.Thread(target=self._server.run)

    def start(self) -> None:
        self._thread.start()
        self._wait()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.store.close_connections()

    def link(self, name: str, role: Role = "annotator") -> str:
        return f"{self.url}/sign-in/{self.store.people.invite(name, role)}"

    def _wait(self) -> None:
        for _ in range(600):
            try:
                httpx.get(f"{self.url}/", timeout=1)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the site does not answer")


class ServedSite(Site):
    """The label site as `stemma label serve` serves it: a process, which can be killed and started again."""

    process: "subprocess.Popen[bytes]"

    def start(self) -> None:
        command = [sys.executable, "-m", "stemma", "label", "serve", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, "--store", self.store_url], cwd=ROOT, stderr=log)
        self._wait()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.kill()
        self.store.close_connections()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    opened = Site(tmp_path)
    opened.start()
    yield opened
    opened.stop()


@pytest.fixture
def served_site(tmp_path: Path) -> Iterator[ServedSite]:
    opened = ServedSite(tmp_path)
    opened.start()
    yield opened
    opened.stop()


# Of a module and not of the session: while it is open, no other test can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


def new_context(browser: Browser, size: str = "desktop", *, script: bool = True) -> BrowserContext:
    width, height = SIZES[size]
    is_phone = size == "phone"
    opened = browser.new_context(
        viewport={"width": width, "height": height},
        has_touch=is_phone,
        is_mobile=is_phone,
        java_script_enabled=script,
    )
    opened.set_default_timeout(PATIENCE)
    return opened


@pytest.fixture(params=SIZES)
def sized(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A page of each size."""
    opened = new_context(browser, request.param)
    yield opened.new_page()
    opened.close()


@pytest.fixture
def desk(browser: Browser) -> Iterator[Page]:
    """A page of a desktop's size."""
    opened = new_context(browser)
    yield opened.new_page()
    opened.close()


@pytest.fixture
def plain_desk(browser: Browser) -> Iterator[Page]:
    """A page that runs no script."""
    opened = new_context(browser, script=False)
    yield opened.new_page()
    opened.close()
