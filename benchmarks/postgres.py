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
        prefix = _as_other_user(Path(folder), data)
        run = {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL}
        begin = ["-D", str(data), "-w", "-t", "60"]
        subprocess.run([*prefix, programs / "initdb", "-D", data, "-U", "stemma", "-A", "trust", "-E", "UTF8"], **run)
        options = " ".join(["-c listen_addresses=''", f"-c unix_socket_directories={folder}", *settings])
        subprocess.run([*prefix, programs / "pg_ctl", *begin, "-l", data / "log", "-o", options, "start"], **run)
        try:
            yield f"postgresql+psycopg://stemma@/postgres?host={folder}"
        finally:
            subprocess.run([*prefix, programs / "pg_ctl", *begin, "-m", "immediate", "stop"], **run)


def _as_other_user(*folders: Path) -> list[str]:
    # It refuses to run as root.
    if os.geteuid() != 0:
        return []
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    user = next(name for name in USERS if name in known)
    for folder in folders:
        shutil.chown(folder, user)
    return ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
