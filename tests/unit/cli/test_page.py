"""Printing a page to a reader that may go away."""

import signal
import subprocess
import sys

from stemma.cli.page import print_page

LONGER_THAN_A_PIPE_HOLDS = "print_page('x' * 1_000_000)"


def test_a_reader_that_leaves_early_ends_nothing() -> None:
    program = f"from stemma.cli.page import print_page; raise SystemExit({LONGER_THAN_A_PIPE_HOLDS} + 7)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as printing:
        assert printing.stdout
        assert printing.stderr
        assert printing.stdout.read(1) == b"x"
        printing.stdout.close()
        assert (printing.wait(60), printing.stderr.read()) == (7, b"")


def test_sockets_that_close_end_no_process_that_has_printed() -> None:
    print_page("a page")
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
