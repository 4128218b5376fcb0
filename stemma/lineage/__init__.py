"""Git, DVC and MLflow: where a run's record lives."""
