"""What every stage shares: its definition, its door, its progress, its manifest."""
