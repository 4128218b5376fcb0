"""A PostgreSQL of one's own in a temporary folder, reached through a socket in it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

USERS = ("postgres", "nobody")


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's programs; None where it is not installed."""
    found = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else next(reversed(found), None)


@contextmanager
def started_postgres(programs: Path, *settings: str) -> Generator[str]:
    """Start a server with an empty database, yield the label store's URL of it, and stop it."""
    with tempfile.TemporaryDirectory(prefix="stemma-postgres-") as folder:
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        prefix = as_other_user(Path(folder), data)
        options = " ".join(["-c listen_addresses=''", f"-c unix_socket_directories={folder}", *settings])

        def run(program: str, *words: str) -> None:
            command = [*prefix, str(programs / program), "-D", str(data), *words]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)

        run("initdb", "-U", "stemma", "-A", "trust", "-E", "UTF8")
        run("pg_ctl", "-w", "-l", str(data / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://stemma@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")


def as_other_user(*folders: Path) -> list[str]:
    """Words before a command that run it as another user, who is given the folders: it refuses to run as root."""
    if os.geteuid() != 0:
        return []
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    user = next(name for name in USERS if name in known)
    for folder in folders:
        shutil.chown(folder, user)
    return ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
