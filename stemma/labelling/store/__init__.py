"""Batches, items, annotators and verdicts in a database: SQLite, or PostgreSQL by its URL."""
