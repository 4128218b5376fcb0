"""Want of memory is told from other faults, by real allocators under a real limit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stemma.errors import OutOfMemoryError, TrainingError
from stemma.stage.out_of_memory import is_out_of_memory, telling_out_of_memory

PROJECT = Path(__file__).parents[3]
STAGE = """
import resource, sys
from pathlib import Path
from stemma.config import Settings
from stemma.stage.door import run_stage

class Nothing(Settings):
    pass

def work(config, stage):
    import numpy, torch
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + (1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    (stage.output / "half").touch()
    torch.empty(4 << 30, dtype=torch.uint8) if sys.argv[1] == "torch" else numpy.empty(4 << 30, dtype="uint8")

run_stage("data", Nothing, work)
"""


@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_the_door_tells_the_flow_what_kind_of_fault_it_was(tmp_path: Path, library: str) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {data: {cmd: python -m tasks.data, outs: [artifacts/data]}}\n")
    (tmp_path / "params.yaml").write_text("seed: 0\n")
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "STEMMA_FLOW_PID": str(os.getpid())}
    words = [sys.executable, "-c", STAGE, library]
    assert subprocess.run(words, cwd=tmp_path, env=environment, timeout=100, check=False).returncode == 2
    (event,) = map(json.loads, (tmp_path / ".stemma/watched/data.jsonl").read_text().splitlines())
    assert event["kind"] == OutOfMemoryError.__name__
    assert event["error"].startswith("the memory does not suffice: ")
    assert not list((tmp_path / "artifacts").iterdir())


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        OSError(12, "Cannot allocate memory"),
        MemoryError(),
    ],
)
def test_want_of_memory(error: Exception) -> None:
    assert is_out_of_memory(error)
    wrapped = ValueError("the trainer failed")
    wrapped.__cause__ = error
    with (
        pytest.raises(OutOfMemoryError, match="not suffice: the trainer failed"),
        telling_out_of_memory(),
    ):
        raise wrapped


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes do not match"), TrainingError("diverged"), OSError(2, "no file")]
)
def test_other_faults_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, telling_out_of_memory():
        raise error
    assert raised.value is error
