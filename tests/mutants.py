"""Whether the fast tests notice one wrong line in training, sampling or evaluation: `make mutants`.

Each mutant of tests/mutant_list.py is put into a copy of the project, and the tests that it names are run on the copy;
a mutant that they all pass has survived. `python -m tests.mutants ppo` runs the group `ppo` alone. torch and its
libraries are loaded once: the tests of a mutant run in a fork of this process, which has nothing of stemma.
"""

import importlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import pytest

from tests.mutant_list import MUTANTS, Mutant

ROOT = Path(__file__).parents[1]
COPIED = ("stemma", "tasks", "tests", "pyproject.toml")
LIBRARIES = (
    "peft",
    "trl.trainer.dpo_trainer",
    "trl.trainer.reward_trainer",
    "transformers.models.llama.modeling_llama",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.opt.modeling_opt",
    "transformers.models.bloom.modeling_bloom",
    "hypothesis",
    "scipy.special",
    "torch.distributed.optim",
)
SECONDS_A_MUTANT = 120

Outcome = Literal["caught", "SURVIVED", "NOT RUN"]


def main(groups: Sequence[str]) -> int:
    """Report every mutant of these groups, of all where none is named; return how many were not caught."""
    chosen = [mutant for mutant in MUTANTS if not groups or mutant.group in groups]
    began = time.monotonic()
    for library in LIBRARIES:
        importlib.import_module(library)
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder))
        tests = sorted({test for mutant in chosen for test in mutant.tests})
        if run(copy, tests) != pytest.ExitCode.OK:
            print("The tests fail without any mutant, so they can catch none: run them with pytest first.")
            print("\n".join(tests))
            return 1
        failed = sum(report(copy, mutant) != "caught" for mutant in chosen)
    print(f"{len(chosen) - failed} of {len(chosen)} mutants caught in {time.monotonic() - began:.0f} s")
    return failed


def copied(folder: Path) -> Path:
    """The part of the project that the tests need."""
    copy = folder / "project"
    copy.mkdir()
    for name in COPIED:
        source, target = ROOT / name, copy / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return copy


def report(copy: Path, mutant: Mutant) -> Outcome:
    """Put the mutant into the copy, run its tests, take it out again, and print what came of it."""
    path, began = copy / mutant.file, time.monotonic()
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.line) != 1:
        print(f"NOT RUN: {mutant.file} has {text.count(mutant.line)} times what {mutant.what!r} replaces, not once")
        return "NOT RUN"
    path.write_text(text.replace(mutant.line, mutant.mutated), encoding="utf-8")
    try:
        status = run(copy, mutant.tests)
    finally:
        path.write_text(text, encoding="utf-8")
    outcome = OUTCOMES.get(status, "NOT RUN")
    print(f"{outcome:8}  {time.monotonic() - began:5.1f} s  {mutant.group:10}  {mutant.what}", flush=True)
    return outcome


OUTCOMES: dict[int | None, Outcome] = {pytest.ExitCode.TESTS_FAILED: "caught", pytest.ExitCode.OK: "SURVIVED"}


def run(copy: Path, tests: Sequence[str]) -> int | None:
    """The status of pytest on the copy, in a process of its own; None where it does not end."""
    process = get_context("fork").Process(target=_pytest, args=(copy, tests))
    process.start()
    process.join(SECONDS_A_MUTANT)
    if process.is_alive():
        process.kill()
        return None
    return process.exitcode


def _pytest(copy: Path, tests: Sequence[str]) -> None:
    os.chdir(copy)
    sys.path[:] = [str(copy), *(path for path in sys.path if Path(path).resolve() != ROOT)]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.dont_write_bytecode = True  # a mutant may be as long as the line, and written in the same second
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    os._exit(pytest.main(["-x", "-p", "no:cacheprovider", "-p", "no:warnings", *tests]))


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
