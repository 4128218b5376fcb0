"""Stages trained by two processes over gloo: the same as one process trains, and what a kill leaves behind."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from stemma.config import MachineConfig
from stemma.errors import SettingsError
from stemma.stage.manifest import write_manifest
from stemma.stage.steps import last_whole_checkpoint, step_of
from tests.rank_works import AGAIN, SFT, STOPPED_AT, WORKS, do, make_inputs, output, works_of
from tests.stages.conftest import Project

ROOT = Path(__file__).parents[2]
ONE = MachineConfig()
SHARDINGS = {name: MachineConfig(processes=2, sharding=name) for name in ("none", "zero1", "zero2", "zero3")}
LAUNCH = """
import sys
from pathlib import Path
from stemma.config import MachineConfig
from stemma.stage.ranks import run_in_ranks
root, sharding = sys.argv[1:]
machine = MachineConfig(processes=2, sharding=sharding)
run_in_ranks(["-m", "tests.rank_works", root, sharding], "works", machine, Path(root), Path(root))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes, and then two that share the work or its state."""
    root = tmp_path_factory.mktemp("works")
    make_inputs(root)
    for name in WORKS:
        do(root, ONE, name)
    for sharding in SHARDINGS:
        launched = [sys.executable, "-c", LAUNCH, str(root), sharding]
        done = subprocess.run(launched, cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return root


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    whole, adapters = folder / "model.safetensors", folder / "adapter_model.safetensors"
    return load_file(whole if whole.exists() else adapters)


def history_of(folder: Path) -> list[dict[str, float]]:
    with (folder / "history.csv").open() as stream:
        return [{name: float(number) for name, number in row.items() if number} for row in csv.DictReader(stream)]


@pytest.mark.parametrize(
    ("sharding", "name"), [(sharding, name) for sharding in SHARDINGS for name in works_of(sharding)]
)
def test_two_processes_come_to_what_one_comes_to(root: Path, sharding: str, name: str) -> None:
    one, two = output(root, ONE, name), output(root, SHARDINGS[sharding], name)
    expected, found = weights_of(one), weights_of(two)
    assert found.keys() == expected.keys()
    for weight in expected:
        torch.testing.assert_close(found[weight], expected[weight], rtol=0, atol=1e-5)
    for ours, theirs in zip(history_of(one), history_of(two), strict=True):
        assert theirs == pytest.approx(ours, rel=1e-4, abs=1e-5)
    assert {path.name for path in one.iterdir()} == {path.name for path in two.iterdir()}


@pytest.mark.parametrize(
    ("sharding", "name"),
    [(sharding, name) for sharding in SHARDINGS for name in works_of(sharding) if name in STOPPED_AT],
)
def test_broken_off_and_done_again_it_ends_with_the_same_bytes(root: Path, sharding: str, name: str) -> None:
    straight, again = (output(root, SHARDINGS[sharding], f"{name}{suffix}") for suffix in ("", AGAIN))
    assert files_of(again) == files_of(straight)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_weights_that_were_sharded_are_saved_whole_and_in_32_bits(root: Path) -> None:
    for sharding in ("zero1", "zero2", "zero3"):
        saved = weights_of(output(root, SHARDINGS[sharding], "sft_short"))
        assert all(weight.dtype == torch.float32 and weight.numel() for weight in saved.values())


@pytest.fixture
def sft_project(root: Path, project: Project) -> Path:
    """A project whose sft stage trains as the work `sft` does, in two processes."""
    made = project(machine={"processes": 2}, sft=SFT.model_dump(mode="json"))
    for name in ("data", "base"):
        (made / "artifacts").mkdir(exist_ok=True)
        folder = made / "artifacts" / name
        folder.symlink_to(root / "artifacts" / name)
        write_manifest(folder, name, {})
    return made


def open_door(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tasks.sft"]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=pipe, stderr=pipe, text=True
    )


def ranks_at_step(door: "subprocess.Popen[str]", folder: Path, step: int) -> list[psutil.Process]:
    """The door's ranks, once the step checkpoint of this step, or of a later one, is there."""
    while door.poll() is None:
        steps = list((folder / ".stemma/scratch").glob("*/steps"))
        checkpoint = last_whole_checkpoint(steps[0]) if steps else None
        if checkpoint and step_of(checkpoint) >= step:
            return psutil.Process(door.pid).children()  # type: ignore[no-untyped-call, no-any-return]
        time.sleep(0.01)
    raise AssertionError(door.communicate())


def test_where_one_is_killed_it_tells_and_leaves_nobody_at_work_and_goes_on(root: Path, sft_project: Path) -> None:
    first = open_door(sft_project)
    ranks = ranks_at_step(first, sft_project, 20)
    os.kill(ranks[1].pid, signal.SIGKILL)
    said, told = first.communicate()
    assert first.returncode == 2
    (message,) = (line for line in told.splitlines() if line.startswith("sft: "))
    assert message.startswith("sft: process 1 of 2 of sft was ended by SIGKILL; ")
    assert message.endswith("Run again: it goes on from the newest step checkpoint.")
    assert "Traceback" not in message
    assert not any(psutil.pid_exists(rank.pid) for rank in ranks)  # type: ignore[no-untyped-call]
    assert not list((sft_project / "artifacts").glob("sft*"))

    second = open_door(sft_project)
    said, told = second.communicate()
    assert second.returncode == 0, told
    assert said.count("sft: resumes from step ") == 1
    made, expected = files_of(sft_project / "artifacts/sft"), files_of(output(root, SHARDINGS["none"], "sft"))
    assert made.pop("manifest.json")
    assert made == expected
    assert not list((sft_project / ".stemma/scratch").glob("sft-*/"))


def test_ppo_refuses_what_it_cannot_share(root: Path) -> None:
    with pytest.raises(SettingsError, match=r"ppo takes no machine\.sharding=zero3: .* Set it to zero1"):
        do(root, SHARDINGS["zero3"], "ppo")
    with pytest.raises(SettingsError, match=r"a minibatch of ppo has 4 responses .* machine\.processes \(5\)"):
        do(root, MachineConfig(processes=5), "ppo")
