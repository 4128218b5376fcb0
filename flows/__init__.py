"""What runs in which order."""

import os

PATIENT = {"PREFECT_CLIENT_RETRY_EXTRA_CODES": "500", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
"""Prefect's server answers 500 while its database is away: what a run tells it is told again, for about a minute.

Prefect's own heartbeat, every 180 s by default, is sent as often as Prefect allows, for runs of the terminal as for a
worker's: the server calls a run crashed after less silence than 180 s.
"""

# Prefect reads this when it is imported.
for name, value in PATIENT.items():
    os.environ.setdefault(name, value)
