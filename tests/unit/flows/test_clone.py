"""Going into the worker's clone, in the process of the run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def test_the_first_process_of_a_container_has_no_parent_to_end_with() -> None:
    alone = ["unshare", "--pid", "--fork"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a process namespace of its own needs root")
    words = "import os, time; from flows.service.clone import enter; assert not os.getppid(); enter(); time.sleep(0.3)"
    ended = subprocess.run([*alone, sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_run_works_in_the_top_folder_of_the_clone(tmp_path: Path) -> None:
    words = "import os; from flows.service.clone import enter; print(enter()['directory'], os.getcwd(), sep='\\n')"
    printed = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {words}"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert printed.splitlines() == [str(ROOT)] * 2
