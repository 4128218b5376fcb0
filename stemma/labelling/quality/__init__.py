"""How far verdicts can be trusted, and what several of them amount to."""
