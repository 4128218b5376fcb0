"""Metrics, intervals and pictures."""
