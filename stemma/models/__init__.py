"""Models and tokenizers: loading, saving, adapters, scalar heads, chat templates, seeds."""
