"""Which version serves: evidence, gates, promotion and rollback."""
