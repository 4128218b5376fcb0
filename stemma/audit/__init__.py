"""Checks and care of what is on record: verify, reproduce, clean up, forget."""
