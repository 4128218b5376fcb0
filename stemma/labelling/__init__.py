"""Who prefers which answer."""
