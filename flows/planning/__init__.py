"""What a run will do and cost, what it may spend, and what it has spent."""
