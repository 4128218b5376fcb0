"""What runs in which order."""

import os

PATIENT = {"PREFECT_CLIENT_RETRY_EXTRA_CODES": "500"}
"""Prefect's server answers 500 while its database is away: what a run tells it is told again, for about a minute."""

# Prefect reads this when it is imported.
for name, value in PATIENT.items():
    os.environ.setdefault(name, value)
