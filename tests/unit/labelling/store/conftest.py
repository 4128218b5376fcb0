"""Both databases, empty for each test."""

from collections.abc import Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from benchmarks.postgres import find_postgres, started_postgres
from stemma.labelling.store.store import LabelStore, open_store


class Clock:
    """A clock that stands almost still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


@pytest.fixture(scope="session")
def postgres() -> Generator[str]:
    programs = find_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with started_postgres(programs, "-c fsync=off") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'labels.db'}"
    server: str = request.getfixturevalue("postgres")
    name = f"labels_{uuid4().hex}"
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    engine.dispose()
    return make_url(server).update_query_dict({"options": f"-csearch_path={name}"}).render_as_string()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[LabelStore]:
    opened = open_store(url, clock)
    yield opened
    opened.close_connections()
