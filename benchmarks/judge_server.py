"""The toy judge behind an OpenAI-compatible endpoint: `transformers serve` on this machine, for the time of a run."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks import toy_judge
from stemma.errors import ServiceError
from stemma.judging.constitution import FOLDER
from stemma.stage.manifest import file_sha256

ROOT = Path(__file__).resolve().parents[1]
JUDGES = ROOT / ".stemma/toy-judges"
HOST, PORT = "127.0.0.1", 8791
"""Always the same, because a judge's address is a setting of the run, and a stage of other settings runs anew."""
SECONDS_TO_START = 120.0
SERVE = [str(Path(sys.executable).with_name("transformers")), "serve"]
BATCHING = ["--continuous-batching", "--cb-num-blocks", "128", "--cb-max-batch-tokens", "2048"]
"""Requests are answered side by side, at a third of the time of one after the other; unbounded, the cache takes more
than half of the machine's memory."""


@contextmanager
def judge_served(seed: int) -> Iterator[list[str]]:
    """Make the judge of a seed's world, unless it is there, and serve it; gives the `--set` values that ask it.

    Raises ServiceError where it cannot be served.
    """
    folder = judge_folder(seed)
    toy_judge.make_judge(seed, folder)
    judge = {
        "kind": "endpoint",
        "name": "toy",
        "base_url": f"http://{HOST}:{PORT}/v1",
        "model": folder.name,
        "version": file_sha256(folder / "model.safetensors"),
        "reasoning": True,
        "max_tokens": toy_judge.LONGEST_REPLY,
        "logprobs": False,  # `transformers serve` takes no notice of them
        "concurrency": 16,
    }
    with served(folder):
        yield [
            f"ai_label.judges={json.dumps([judge])}",
            f"ai_label.constitution={toy_judge.CONSTITUTION}",
            "label.source=ai",
        ]


def judge_folder(seed: int) -> Path:
    """Where a seed's judge lies; another one for each state of the files that make it."""
    files = (Path(toy_judge.__file__), ROOT / FOLDER / f"{toy_judge.CONSTITUTION}.yaml")
    state = hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()[:12]
    return JUDGES / state / f"toy-judge-{seed}"


@contextmanager
def served(folder: Path) -> Iterator[None]:
    """Serve a model folder under its name, for as long as the context lasts."""
    with socket.socket() as probe:
        if probe.connect_ex((HOST, PORT)) == 0:
            raise ServiceError(f"port {PORT} is in use, and the toy judge is to be served there; stop what uses it")
    log = folder.with_name(f"{folder.name}.log")
    command = [*SERVE, folder.name, "--host", HOST, "--port", str(PORT), "--device", "cpu", *BATCHING]
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with (
        log.open("w", encoding="utf-8") as output,
        subprocess.Popen(command, cwd=folder.parent, env=settings, stdout=output, stderr=output) as server,
    ):
        try:
            wait_until_up(server, log)
            yield
        finally:
            server.terminate()


def wait_until_up(server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the server answers.

    Raises ServiceError where it ends, or is not up in time.
    """
    deadline = time.monotonic() + SECONDS_TO_START
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"http://{HOST}:{PORT}/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise ServiceError(f"`transformers serve` did not start; {log} says why")
