"""Training loops and the trainers' adapters."""
