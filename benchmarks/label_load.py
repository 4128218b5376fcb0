"""Do fifty annotators who label at once, clumsily, get quick answers, and is nothing lost or doubled?

    python -m benchmarks.label_load [--annotators 50] [--verdicts 20000] [--overlap 5] [--databases sqlite postgresql]

Serves the label page (`stemma label serve`) on loopback over each database; PostgreSQL is started in a temporary
folder. Each annotator signs in by a personal link and labels through the page's own forms, sent as the page's script
sends them, as fast as they are answered. Some forms are sent twice at once (a double click), some again later (a
retry), some by a second tab with another choice. Afterwards every verdict that was acknowledged is looked for in the
database.

Prints latencies and verdicts a second; ends with status 1 where a verdict was lost or doubled, or one differs.
"""

import argparse
import asyncio
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import create_engine, text

from benchmarks.postgres import find_postgres, started_postgres
from stemma.labelling.store.batch import NewBatch, NewItem
from stemma.labelling.store.store import LabelStore, open_store
from stemma.records.types import Message

ROOT = Path(__file__).resolve().parents[1]
BATCH = "load"
CHOICES = ("first", "second", "tie", "both_bad")
FIELD = re.compile(r'<input type="hidden" name="(csrf|request)" value="([^"]+)">')
DOUBLE_CLICKS, RETRIES, SECOND_TABS = 0.05, 0.03, 0.03
"""Shares of forms that are sent twice at once, again later, and by a second tab with another choice."""


@dataclass
class Seen:
    """What the annotators did and saw."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    """The choice that was sent first for each request."""
    rivals: dict[str, set[str]] = field(default_factory=dict)
    """All choices sent at the same time for a request, where there were several."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from sending a verdict until the next item was there."""
    repeats: int = 0
    again: int = 0
    """Times that the connection broke, or the server said to wait, and the form was sent again, as the page does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Load each database, print what came out, and return the exit status."""
    parser = argparse.ArgumentParser(description="Fifty annotators at once: how quick, and is anything lost?")
    parser.add_argument("--annotators", type=int, default=50)
    parser.add_argument("--verdicts", type=int, default=20_000)
    parser.add_argument("--overlap", type=int, default=5)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    options = parser.parse_args(arguments)
    faults = 0
    for database in options.databases:
        with tempfile.TemporaryDirectory() as folder, started(database, Path(folder)) as url:
            print(f"{database}: {options.annotators} annotators, {options.verdicts} verdicts", flush=True)
            faults += loaded(url, Path(folder), options.annotators, options.verdicts, options.overlap)
    return 1 if faults else 0


@contextmanager
def started(database: str, folder: Path) -> Generator[str]:
    """The URL of an empty database."""
    if database == "sqlite":
        yield f"sqlite:///{folder / 'labels.db'}"
        return
    programs = find_postgres()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed; see --databases")
    with started_postgres(programs) as url:
        yield url


def loaded(url: str, folder: Path, annotators: int, verdicts: int, overlap: int) -> int:
    """Label a batch of that many verdicts, print the figures; returns how many verdicts are not as they should be."""
    store = open_store(url)
    store.make_batch(made_batch(verdicts // overlap, overlap))
    tokens = [store.people.invite(f"annotator-{number}") for number in range(annotators)]
    seen = Seen()
    with served(url, folder) as site:
        began = time.perf_counter()
        asyncio.run(label_all(site, tokens, seen))
        took = time.perf_counter() - began
    faults = compare(store, url, seen, verdicts)
    store.close_connections()
    report(seen, took, faults)
    return len(faults)


def made_batch(items: int, overlap: int) -> NewBatch:
    """A batch of answers of some length."""
    words = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog"]
    chance = random.Random(0)  # noqa: S311 -- texts to look at

    def answer() -> str:
        return " ".join(chance.choices(words, k=80)) + "\n\n```python\nprint(1)\n```\n\n- one\n- **two**\n"

    return NewBatch(
        BATCH,
        tuple(
            NewItem(f"p{number}", (Message(role="user", content=f"Question {number}?"),), (answer(), answer()))
            for number in range(items)
        ),
        "Be fair.",
        overlap=overlap,
    )


@contextmanager
def served(url: str, folder: Path) -> Generator[str]:
    """The site, served by a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    site = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "stemma", "label", "serve", "--port", str(port), "--store", url]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            wait_for(site)
            yield site
        finally:
            server.terminate()
            server.wait()


def wait_for(site: str) -> None:
    """Wait until a site answers."""
    for _ in range(300):
        try:
            httpx.get(site)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the site does not answer")


async def label_all(site: str, tokens: Sequence[str], seen: Seen) -> None:
    """Let everybody label until nothing is left."""
    await asyncio.gather(*(Annotator(site, number, seen).work(token) for number, token in enumerate(tokens)))


class Annotator:
    """Somebody with a browser."""

    def __init__(self, site: str, number: int, seen: Seen) -> None:
        self._client = httpx.AsyncClient(base_url=site, timeout=120, follow_redirects=True)
        self._chance = random.Random(number)  # noqa: S311 -- a benchmark's dice
        self._seen = seen

    async def work(self, token: str) -> None:
        """Sign in and label until nothing is left."""
        page = await self._get(f"/sign-in/{token}")
        while form := self._form(page):
            page = await self._answer(form)
            if not self._form(page):
                page = await self._get(f"/label/{BATCH}")

    async def _answer(self, form: dict[str, str]) -> str:
        sent = {**form, "choice": self._chance.choice(CHOICES)}
        request, kind = form["request"], self._chance.random()
        if kind < DOUBLE_CLICKS:
            self._seen.repeats += 1
            page, _ = await asyncio.gather(self._send(sent), self._send(sent))
        elif kind < DOUBLE_CLICKS + SECOND_TABS:
            self._seen.repeats += 1
            other = {**sent, "choice": "tie"}
            self._seen.rivals[request] = {sent["choice"], "tie"}
            page, _ = await asyncio.gather(self._send(sent), self._send(other))
        else:
            page = await self._send(sent)
        self._seen.acknowledged[request] = sent["choice"]
        if self._chance.random() < RETRIES:
            self._seen.repeats += 1
            page = await self._send(sent)
        return page

    async def _send(self, fields: dict[str, str]) -> str:
        began = time.perf_counter()
        answer = await self._post(fields)
        while answer is None or answer.status_code == 429:
            self._seen.again += 1
            await asyncio.sleep(1)
            answer = await self._post(fields)
        if answer.status_code not in {200, 409}:
            raise RuntimeError(f"{answer.status_code}: {answer.text[:2000]}")
        if answer.status_code == 200:
            self._seen.latencies.append(time.perf_counter() - began)
        return answer.text

    async def _post(self, fields: dict[str, str]) -> httpx.Response | None:
        try:
            return await self._client.post(f"/label/{BATCH}/verdict", data=fields, headers={"X-Script": "1"})
        except httpx.TransportError:
            return None

    async def _get(self, path: str) -> str:
        return (await self._client.get(path)).text

    def _form(self, page: str) -> dict[str, str] | None:
        _, begins, form = page.partition("data-verdict>")
        return dict(FIELD.findall(form.partition("</form>")[0])) if begins else None


def compare(store: LabelStore, url: str, seen: Seen, wanted: int) -> list[str]:
    """What is in the database but was not acknowledged, or the other way round, or twice, or differs."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT request_id, choice, item_id, annotator_id FROM verdicts")).all()
    engine.dispose()
    stored = {row.request_id: row.choice for row in rows}
    twice = [key for key, count in Counter((row.item_id, row.annotator_id) for row in rows).items() if count > 1]
    progress, counted = store.progress(BATCH), store.verdicts(BATCH)
    sent = {request: seen.rivals.get(request, {choice}) for request, choice in seen.acknowledged.items()}
    return [
        *(f"lost: {request}" for request in sent if request not in stored),
        *(f"never acknowledged: {request}" for request in stored if request not in sent),
        *(f"doubled: item {item} by {annotator}" for item, annotator in twice),
        *(f"not as sent: {request}" for request, choice in stored.items() if choice not in sent.get(request, {choice})),
        *([f"{len(counted)} verdicts count, {wanted} were wanted"] if len(counted) != wanted else []),
        *([f"the batch has {progress.given} of {progress.wanted}"] if not progress.complete else []),
    ]


def report(seen: Seen, took: float, faults: Sequence[str]) -> None:
    """Print the figures."""
    sorted_latencies = sorted(seen.latencies)

    def quantile(share: float) -> str:
        return f"{1000 * sorted_latencies[int(share * (len(sorted_latencies) - 1))]:.0f} ms"

    count = len(seen.acknowledged)
    print(f"  {count} verdicts in {took:.0f} s: {count / took:.0f} a second; {seen.repeats} forms sent again")
    print(f"  from a verdict to the next item: p50 {quantile(0.5)}, p99 {quantile(0.99)}, slowest {quantile(1)}")
    print(f"  sent again after a broken connection or a request to wait: {seen.again}")
    print(f"  lost, doubled or changed: {len(faults)}", *faults[:10], sep="\n    ")


if __name__ == "__main__":
    raise SystemExit(main())
