"""The default world: a small fictional knowledge base, made from a seed."""
