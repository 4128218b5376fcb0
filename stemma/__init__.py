"""Stemma: preference-tuned language models whose whole family tree is on record."""

import atexit
import gc
import os

QUIET = {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "WANDB_DISABLED": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
"""Nobody is phoned, and nothing is drawn over a stage's own lines."""

PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads that wait for each other sleep: where two stages share the cores, spinning made a step 15 times as long."""

# The libraries read these when they are imported, so they are set above all imports.
for name, value in {**QUIET, **PATIENT}.items():
    os.environ.setdefault(name, value)

# Imports make objects by the million and no garbage. Looking for it less often spares a stage 1 s, a flow 0.7 s.
gc.set_threshold(20_000)

# A process that ends need not look once more through all its objects for garbage: that took 0.6 s after MLflow.
atexit.register(gc.freeze)
