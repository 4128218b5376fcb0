"""A PostgreSQL server in a folder of its own, which can be stopped and started again."""

import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.postgres import as_other_user, find_postgres


class Postgres:
    """The server; it listens on a socket in its folder and nowhere else."""

    def __init__(self, folder: Path, databases: tuple[str, ...]) -> None:
        programs = find_postgres()
        assert programs is not None, "PostgreSQL is not installed"
        self._programs, self._folder, self._data = programs, folder, folder / "data"
        folder.chmod(0o755)
        self._data.mkdir(mode=0o700)
        self._prefix = as_other_user(folder, self._data)
        self._run("initdb", "-D", str(self._data), "-U", "stemma", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        for name in databases:
            self.create(name)

    def start(self) -> None:
        """Start it, and return when it answers."""
        settings = (
            f"-c listen_addresses='' -c unix_socket_directories={self._folder} -c fsync=off -c max_connections=200"
        )
        log = str(self._data / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", log, "-o", settings, "start")

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "fast", "stop")

    def create(self, database: str) -> None:
        """Make an empty database."""
        self._do(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))

    def drop(self, database: str) -> None:
        """Drop a database, whoever is connected."""
        self._do(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def url(self, driver: str, database: str) -> str:
        """The address of a database, for SQLAlchemy."""
        return f"postgresql+{driver}://stemma@/{database}?host={self._folder}"

    def _do(self, statement: sql.Composed) -> None:
        with psycopg.connect(f"host={self._folder} user=stemma dbname=postgres", autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, program: str, *words: str) -> None:
        command = [*self._prefix, str(self._programs / program), *words]
        subprocess.run(command, cwd=self._folder, check=True, stdout=subprocess.DEVNULL)
