"""What keeps Stemma running: the local stack, and what Prefect is told of it."""
