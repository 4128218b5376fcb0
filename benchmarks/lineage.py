"""Do trace and impact answer at once where ten thousand runs are on record?

    python -m benchmarks.lineage [--runs 10000] [--times 3] [--keep FOLDER]

Writes a project of made-up runs (many_runs.py) and times whole processes of `stemma trace` and `stemma impact`, and the
making of the index; each also as a ratio to `git log` over the same refs. The refs are timed as files of their own, as
runs leave them, and packed, as `git gc` leaves them.

Ends with status 1 where trace or impact takes 1 s or more, or the index 60 s or more.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.many_runs import Project

ROOT = Path(__file__).resolve().parents[1]
STEMMA = [sys.executable, "-m", "stemma"]
ANSWER_SECONDS = 1.0
INDEX_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the project, time everything, print it, and return the exit status."""
    parser = argparse.ArgumentParser(description="Do trace and impact answer at once over ten thousand runs?")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="write the project there and leave it")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        project = Project(options.keep or Path(folder) / "project")
        project.write(options.runs)
        return report(project, options.times)


def report(project: Project, times: int) -> int:
    """Time everything and print it; returns the exit status."""
    slow = 0
    print(f"{project.runs} runs")
    for state in ("loose", "packed"):
        if state == "packed":
            project.git("pack-refs", "--all")
        log = min(timed(project, ["git", "log", "--oneline", "--glob=refs/exps"]) for _ in range(times))
        print(f"\nrefs {state}: git log over them takes {log:.2f} s")
        if state == "loose":
            slow += told("the index, from nothing", [rebuilt(project)], log, INDEX_SECONDS)
            print(f"  {counts(project)}")
        for words in questions(project):
            took = [timed(project, [*STEMMA, *words]) for _ in range(times)]
            slow += told("stemma " + " ".join(words), took, log, ANSWER_SECONDS)
    return 1 if slow else 0


def told(what: str, took: list[float], log: float, limit: float) -> bool:
    """Print some times, the fastest first; returns whether that was too slow.

    The fastest counts, because whatever else the machine does only adds to a time.
    """
    best = min(took)
    verdict = f"  TOO SLOW, the limit is {limit:g} s" if best >= limit else ""
    shown = "  ".join(f"{seconds:.2f} s" for seconds in sorted(took))
    print(f"  {what:<60}  {shown}  = {best / log:.1f} × git log{verdict}")
    return best >= limit


def timed(project: Project, command: Sequence[str]) -> float:
    """Seconds of one whole process."""
    began = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=project.path, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def rebuilt(project: Project) -> float:
    """Seconds to make the index from nothing, in a process of its own."""
    project.index.unlink(missing_ok=True)
    code = "from pathlib import Path; from stemma.lineage.index import Index; Index(Path()).close()"
    return timed(project, [sys.executable, "-c", code])


def questions(project: Project) -> list[list[str]]:
    """The commands that are timed: the deepest tree and the widest descent first."""
    return [
        ["trace", project.newest],
        ["trace", "policy@champion"],
        ["impact", project.data],
        ["impact", project.data, "--json"],
        ["impact", f"tasks/ppo.py@{project.commit[:12]}"],
        ["impact", "policy@champion"],
    ]


def counts(project: Project) -> str:
    """What the index holds."""
    index = sqlite3.connect(project.index)
    made, edges = (
        index.execute(query).fetchone()[0]
        for query in ("select count(*) from derivations", "select count(*) from inputs")
    )
    return f"{made} artifacts, {edges} edges between them; {project.index.stat().st_size / 1e6:.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
