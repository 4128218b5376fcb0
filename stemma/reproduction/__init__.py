"""Making a model again from raw data, and how the first difference looks."""
