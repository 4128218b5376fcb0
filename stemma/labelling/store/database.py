"""The database under the label store: how it is opened, and what a transaction is."""

import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from stemma.errors import LabelError
from stemma.labelling.store.tables import VERSION, metadata, schema

STORE_VARIABLE = "STEMMA_LABEL_STORE"
BUSY_SECONDS = 30
CONNECTIONS = 20
SCHEMA_LOCK = 8377
"""Any number that stays the same: of several processes that find an empty PostgreSQL, one makes the tables."""

Clock = Callable[[], float]


def store_url(root: Path) -> str:
    """Where the labels of a project are: the URL in STEMMA_LABEL_STORE, or labels.db in the project's folder."""
    return os.environ.get(STORE_VARIABLE) or f"sqlite:///{root / 'labels.db'}"


class StoreFailedError(LabelError):
    """The database does not answer, or does not do what it must; the same may work later."""


class Database:
    """An open label database whose tables exist; `clock` gives the seconds since 1970."""

    def __init__(self, url: str, clock: Clock = time.time) -> None:
        """Connect, and make the tables where there are none.

        Raises LabelError where the URL is wrong, nothing answers, or a newer Stemma made the tables.
        """
        self.clock = clock
        self._engine = _engine(url)
        is_sqlite = self._engine.dialect.name == "sqlite"
        self._reader = self._engine if is_sqlite else self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._shown_url = _shown(self._engine.url)
        # Writers of one process queue here: SQLite's own waiting is polling, and lets some wait very long.
        self._writers = threading.Lock() if is_sqlite else nullcontext()
        try:
            self._prepare()
        except DBAPIError as error:
            raise StoreFailedError(f"the label store {self._shown_url} cannot be used: {error.orig}") from None

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A connection to ask; on PostgreSQL without a transaction, which would be two more trips to the server."""
        with self._told(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """A transaction that is on disk when it ends, or undone where it fails."""
        with (
            self._told(),
            self._writers,
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Give all connections up."""
        self._engine.dispose()

    def _prepare(self) -> None:
        with self._writers, self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SCHEMA_LOCK})
            metadata.create_all(connection)
            version = connection.scalar(select(schema.c.version))
            if version is None:
                connection.execute(insert(schema).values(version=VERSION))
            elif version != VERSION:
                raise LabelError(
                    f"the label store {self._shown_url} has tables of version {version}, and this Stemma knows "
                    f"version {VERSION}; use the Stemma that made them, or another store"
                )

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StoreFailedError(f"the label store {self._shown_url} failed: {error.orig}") from error


def insert_missing(connection: Connection, table: Table, **values: object) -> None:
    """Add a row unless there is one with the same key."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(make(table).values(**values).on_conflict_do_nothing())


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, pool_size=CONNECTIONS)
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        if parsed.get_backend_name() == "postgresql":
            return create_engine(parsed, pool_size=CONNECTIONS)
    except (ArgumentError, NoSuchModuleError, ImportError):
        pass
    raise LabelError("the label store's URL must be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE")


def _shown(url: URL) -> str:
    # Without what follows the question mark, where a password may stand too.
    return url.set(query={}).render_as_string(hide_password=True)


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # No implicit BEGIN by Python's sqlite3: transactions are begun below.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later could not be granted the lock once somebody else has written.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
