"""Deleting data on request, with a tombstone, and what descends from it."""
