"""The rows that travel between stages, and their readers and writers."""
