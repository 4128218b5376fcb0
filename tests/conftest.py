"""What holds for every test."""

import os
import tempfile

# Two threads that share their core with another process wait for each other at every operation of a tiny model: a test
# of two seconds was seen to take three minutes. Read by torch when it is imported, here and in the tests' subprocesses.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The tests are a machine of their own: they wait for nobody's training, and nobody waits for theirs.
_slots = tempfile.TemporaryDirectory(prefix="stemma-slots-")
os.environ["STEMMA_SLOTS_FOLDER"] = _slots.name
