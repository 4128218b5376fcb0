"""Slots are held strictly, given in the order of the runs, and given back by whatever ends their holder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from stemma.errors import SettingsError, WorkspaceError
from stemma.stage.offer import Offer, named_slots, offer_of_machine, parse_gpus
from stemma.stage.progress import Progress
from stemma.stage.resources import GIB, Needs, needs_of
from stemma.stage.slots import RUN_VARIABLE, SINCE_VARIABLE, in_line, slots_for
from stemma.stage.tickets import FOLDER_VARIABLE, SUFFIX, Ticket, blocked, machine_folder

PROJECT = Path(__file__).parents[3]
HOLDER = """
import sys, time
from pathlib import Path
from stemma.stage.progress import Progress
from stemma.stage.slots import slots_for

folder, section, params = Path(sys.argv[1]), sys.argv[2], eval(sys.argv[3])
with slots_for(section, section, params, Progress(section, folder, folder / "events")):
    (folder / "at work").touch()
    while not (folder / "stop").exists():
        time.sleep(0.02)
(folder / "done").touch()
"""
CUDA = {"machine": {"device": "cuda"}}
SOMEBODY, GROUP = 65534, 54321
"""Ids of a user and of a group that nobody here has."""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with two GPUs and one slot on its CPU."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "machine"))
    monkeypatch.setenv("STEMMA_SLOTS", "0,1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("STEMMA_CPU_SLOTS", raising=False)
    return tmp_path / "machine"


class Holder:
    """A process that asks for the slots of a stage and holds them."""

    def __init__(self, folder: Path, run: str, since: float, section: str, params: Mapping[str, Any]) -> None:
        self.folder = folder / run
        self.folder.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(self.folder), section, repr(params)],
            env={**os.environ, "PYTHONPATH": str(PROJECT), RUN_VARIABLE: run, SINCE_VARIABLE: repr(since)},
        )

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def comes(self, name: str) -> None:
        """Wait until the process has said something."""
        until(lambda: self.has(name))

    def waits(self, words: str) -> None:
        """Wait until the process says that it waits."""
        until(lambda: words in "".join(self.events("waits")))

    def events(self, kind: str) -> list[Any]:
        if not self.has("events"):
            return []
        told = [json.loads(line) for line in (self.folder / "events").read_text().splitlines()]
        return [event[kind] for event in told if kind in event]

    def stop(self) -> None:
        (self.folder / "stop").touch()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[..., Holder]]:
    holders: list[Holder] = []

    def make(run: str, since: float = 1.0, section: str = "sft", params: Mapping[str, Any] | None = None) -> Holder:
        holders.append(Holder(tmp_path, run, since, section, params or {}))
        return holders[-1]

    yield make
    for holder in holders:
        holder.process.kill()
        holder.process.wait()


def test_one_at_a_time_in_the_order_of_the_runs(ask: Callable[..., Holder]) -> None:
    first = ask("first", 5.0)
    first.comes("at work")
    third, second = ask("third", 3.0), ask("second", 2.0)
    for holder in (third, second):
        holder.waits("waits for a CPU slot: taken by run first, stage sft, since 20")
    assert not third.has("at work")
    assert not second.has("at work")
    first.stop()
    second.comes("at work")
    third.waits("waits for a CPU slot: taken by run second, stage sft, since 20")
    assert not third.has("at work")
    second.stop()
    third.comes("at work")
    (waited,) = third.events("waited")
    assert waited > 0


def test_kill_9_gives_the_slot_back(ask: Callable[..., Holder], machine: Path) -> None:
    first = ask("first")
    first.comes("at work")
    second = ask("second")
    second.waits("waits for a CPU slot")
    first.process.send_signal(signal.SIGKILL)
    second.comes("at work")
    second.stop()
    second.process.wait()
    assert not list(machine.glob(f"*{SUFFIX}"))


def test_who_waits_and_dies_is_not_waited_for(ask: Callable[..., Holder]) -> None:
    first = ask("first", 1.0)
    first.comes("at work")
    second, third = ask("second", 2.0), ask("third", 3.0)
    second.waits("waits for a CPU slot")
    third.waits("waits for a CPU slot")
    second.process.send_signal(signal.SIGKILL)
    first.stop()
    third.comes("at work")


def test_gpus_are_shared_out_and_a_stage_sees_its_own_only(ask: Callable[..., Holder], tmp_path: Path) -> None:
    ask("one", 1.0, "ppo", CUDA).comes("at work")
    with slots_for("dpo", "dpo", CUDA, Progress("dpo", tmp_path)):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
        ask("cpu", 1.0, "sft").comes("at work")
        both = ask("both", 2.0, "ppo", {"machine": {"device": "cuda", "processes": 2}})
        both.waits("waits for 2 GPU slots: taken by run one, stage ppo, since")
        both.waits("; taken by run in ")
    third = ask("third", 3.0, "ppo", CUDA)
    third.waits("waits for a GPU slot: run both comes first")


def test_an_inherited_world_size_does_not_switch_slots_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    with slots_for("dpo", "dpo", CUDA, Progress("dpo", tmp_path)):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_nobody_waits_for_one_who_waits_for_other_gpus(
    ask: Callable[..., Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEMMA_SLOTS", "0")
    ask("one", 1.0, "ppo", CUDA).comes("at work")
    ask("two", 2.0, "ppo", CUDA).waits("waits for a GPU slot: taken by run one")
    monkeypatch.setenv("STEMMA_SLOTS", "1")
    ask("three", 3.0, "ppo", CUDA).comes("at work")


def test_a_ticket_that_does_not_tell_its_slots_may_take_any() -> None:
    needs, offer = Needs("cuda", 1), Offer("cuda", ("1",), GIB)
    own = Ticket("own", 2.0, "ppo", "cuda", 1, may_take=("1",), number=2)
    assert blocked(own, [Ticket("older code", 1.0, "ppo", "cuda", 1)], needs, offer)
    assert blocked(own, [Ticket("first", 1.0, "ppo", "cuda", 1, may_take=("0", "1"))], needs, offer)
    assert not blocked(own, [Ticket("first", 1.0, "ppo", "cuda", 1, may_take=("0",))], needs, offer)


def test_a_run_that_was_queued_first_goes_first_though_it_comes_a_moment_later(ask: Callable[..., Holder]) -> None:
    with in_line("first", 1.0):
        second = ask("second", 2.0)
        second.waits("waits for a CPU slot: run first comes first")
        first = ask("first", 1.0)
        first.comes("at work")
        first.stop()
        second.comes("at work")


def test_a_run_that_has_begun_and_does_not_come_is_not_waited_for_long() -> None:
    now = time.monotonic()
    own = Ticket("own", 2.0, "sft", "cpu", 1, number=2)
    needs, offer = Needs("cpu", 1), Offer("cpu", ("0",), GIB)
    assert blocked(own, [Ticket("first", 1.0, comes_until=now + 60)], needs, offer)
    assert not blocked(own, [Ticket("first", 1.0, comes_until=now - 1)], needs, offer)
    assert not blocked(own, [Ticket("later", 3.0, comes_until=now + 60)], needs, offer)


def test_memory_is_never_promised_twice() -> None:
    needs, offer = Needs("cuda", 1, memory=5 * GIB), Offer("cuda", ("0", "1"), 8 * GIB)
    own = Ticket("own", 2.0, "ppo", "cuda", 1, needs.memory, number=2)
    holder = Ticket("other", 1.0, "sft", "cpu", 1, 4 * GIB, has=True, holds=("0",), when="noon")
    told = blocked(own, [holder], needs, offer)
    assert told == (
        "waits for 5 of the machine's 8.0 GiB of memory: taken by run other, stage sft with 4 GiB, since noon"
    )
    assert not blocked(own, [Ticket("other", 1.0, "sft", "cpu", 1, 3 * GIB, has=True, holds=("0",))], needs, offer)


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        (Needs("cuda", 3), r"ppo needs 3 GPUs, and this machine has 2: run it on another, lower machine.processes"),
        (Needs("cuda", 2, gpu_memory=20 * GIB), r"ppo needs 2 GPUs of 20 GiB, and this machine's have 24.0, 16.0 GiB"),
        (Needs("cpu", 0, memory=65 * GIB), r"ppo needs 65 GiB of memory, and this machine has 64.0: .*memory_gib"),
    ],
)
def test_what_the_machine_can_never_give_is_refused(needs: Needs, words: str) -> None:
    offer = Offer("cuda", ("a", "b"), 64 * GIB, {"a": 24 * GIB, "b": 16 * GIB})
    with pytest.raises(SettingsError, match=words):
        offer.check("ppo", needs)
    offer.check("ppo", Needs("cuda", 1, 64 * GIB, 20 * GIB))
    assert offer.fitting(Needs("cuda", 1, 0, 20 * GIB)) == ("a",)


def test_a_refused_stage_does_not_wait(tmp_path: Path) -> None:
    params = {"machine": {"device": "cuda", "processes": 4}}
    with (
        pytest.raises(SettingsError, match="sft needs 4 GPUs"),
        slots_for("sft", "sft", params, Progress("sft", tmp_path)),
    ):
        pass


@pytest.mark.parametrize(
    ("section", "params", "needs"),
    [
        ("sft", {}, Needs("cpu", 1)),
        ("eval", {}, Needs("cpu", 0)),
        ("data", CUDA, Needs("cpu", 0)),
        ("eval", CUDA, Needs("cuda", 1)),
        ("ppo", {"machine": {"device": "cuda", "processes": 4}}, Needs("cuda", 4)),
        ("base", {"machine": {"device": "cuda", "processes": 4}}, Needs("cuda", 1)),
        ("eval", {"machine": {"device": "cuda", "processes": 4}}, Needs("cuda", 1)),
        ("sft", {"machine": {"device": "cpu", "processes": 2}}, Needs("cpu", 1)),
        ("ai_label", {**CUDA, "resources": {"ai_label": {"gpus": 0, "gpu_memory_gib": 9}}}, Needs("cuda", 0)),
        ("dpo", {"resources": {"dpo": {"memory_gib": 1.5}}}, Needs("cpu", 1, GIB + GIB // 2)),
    ],
)
def test_what_a_stage_needs(section: str, params: Mapping[str, Any], needs: Needs) -> None:
    assert needs_of(section, params) == needs


def test_gpus_as_nvidia_smi_and_people_name_them(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = parse_gpus("0, GPU-aa, 81559\n1, GPU-bb, [N/A]\n")
    assert [(gpu.name, gpu.memory) for gpu in gpus] == [("GPU-aa", 81559 << 20), ("GPU-bb", None)]
    assert named_slots("1, MIG-cc,1", gpus) == ["GPU-bb", "MIG-cc"]
    assert named_slots("-1", gpus) == []
    monkeypatch.delenv("STEMMA_SLOTS")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("PATH", "/nowhere")
    assert offer_of_machine("cuda").slots == ("3",)
    monkeypatch.setenv("STEMMA_CPU_SLOTS", "2")
    assert offer_of_machine("cpu").slots == ("0", "1")
    monkeypatch.setenv("STEMMA_CPU_SLOTS", "none")
    with pytest.raises(SettingsError, match="STEMMA_CPU_SLOTS says 'none'"):
        offer_of_machine("cpu")


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setattr("stemma.stage.tickets.ROOT", tmp_path)
    folder = machine_folder()
    assert folder.parent == tmp_path
    folder.chmod(0o777)
    with pytest.raises(WorkspaceError, match="not a folder that you alone can write"):
        machine_folder()
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WorkspaceError, match="not a folder that you alone can write"):
        machine_folder()


@contextmanager
def somebody_else(group: int = SOMEBODY) -> Iterator[None]:
    """Be another user of the machine for a while."""
    os.setegid(group)
    os.seteuid(SOMEBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def of_a_group(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a group may write; not in pytest's own, where nobody else may look."""
    with TemporaryDirectory(prefix="stemma-test-") as made:
        folder = Path(made)
        os.chown(folder, -1, GROUP if os.getuid() == 0 else os.getgid())
        folder.chmod(0o2770)
        monkeypatch.setenv(FOLDER_VARIABLE, made)
        yield folder


def test_who_may_write_the_folder_may_write_what_is_in_it(of_a_group: Path, tmp_path: Path) -> None:
    def modes() -> set[int]:
        with slots_for("sft", "sft", {}, Progress("sft", tmp_path)):
            return {path.stat().st_mode & 0o777 for path in of_a_group.iterdir()}

    assert modes() == {0o660}
    (of_a_group / "lock").unlink()
    of_a_group.chmod(0o700)
    assert modes() == {0o600}


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to become somebody else")
def test_several_users_share_the_slots(of_a_group: Path, tmp_path: Path) -> None:
    with slots_for("ppo", "ppo", CUDA, Progress("ppo", tmp_path)):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        with somebody_else(GROUP), slots_for("dpo", "dpo", CUDA, Progress("dpo", tmp_path)):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
            assert len(list(of_a_group.glob(f"*{SUFFIX}"))) == 2
    assert not list(of_a_group.glob(f"*{SUFFIX}"))


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to become somebody else")
def test_a_folder_of_somebody_else_is_told_with_the_remedy(of_a_group: Path, tmp_path: Path) -> None:
    needs = Progress("ppo", tmp_path)
    told = rf"{of_a_group}, where .* cannot be used: .*chmod 2770 {of_a_group}; or name another in STEMMA_SLOTS_FOLDER"
    with somebody_else(), pytest.raises(WorkspaceError, match=told), slots_for("ppo", "ppo", CUDA, needs):
        pass
    of_a_group.chmod(0o700)
    with slots_for("dpo", "dpo", CUDA, needs):
        of_a_group.chmod(0o2770)  # too late for the ticket
        with somebody_else(GROUP), pytest.raises(WorkspaceError, match=told), slots_for("ppo", "ppo", CUDA, needs):
            pass
