"""What waits for people: their labels, and their decisions."""
