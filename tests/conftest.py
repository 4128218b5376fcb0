"""What holds for every test."""

import os

# Two threads that share their core with another process wait for each other at every operation of a tiny model: a test
# of two seconds was seen to take three minutes. Read by torch when it is imported, here and in the tests' subprocesses.
os.environ.setdefault("OMP_NUM_THREADS", "1")
