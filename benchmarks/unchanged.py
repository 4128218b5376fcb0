"""How long does a flow take in which nothing changed? Every stage is restored, none runs.

    python benchmarks/unchanged.py [--times 3]

Runs `stemma run rlhf` once, so that everything is in the cache, and then times it from a cold start and with a Prefect
server up. Prints the seconds of each, the fastest first.
"""

import argparse
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUN = [sys.executable, "-m", "stemma", "run", "rlhf"]


def main() -> None:
    """Time both ways and print them."""
    parser = argparse.ArgumentParser(description="How long does a flow take in which nothing changed?")
    parser.add_argument("--times", type=int, default=3)
    times = parser.parse_args().times
    timed({})
    print("cold start:       ", seconds([timed({}) for _ in range(times)]))
    with prefect_server() as api:
        print("Prefect server up:", seconds([timed({"PREFECT_API_URL": api}) for _ in range(times)]))


def timed(environment: dict[str, str]) -> float:
    """Seconds of one whole process."""
    began = time.perf_counter()
    subprocess.run(RUN, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def seconds(measured: list[float]) -> str:
    """The figures, the fastest first."""
    return "  ".join(f"{value:.1f} s" for value in sorted(measured))


@contextmanager
def prefect_server() -> Iterator[str]:
    """A Prefect server on a free port of loopback; yields the address of its API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    api = f"http://127.0.0.1:{port}/api"
    while not answers(f"{api}/health"):
        time.sleep(0.2)
    yield api
    server.terminate()
    server.wait()


def answers(url: str) -> bool:
    """Whether something answers there."""
    try:
        urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 -- our own server on loopback
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
