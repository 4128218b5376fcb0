"""What MLflow shows: a view of Git and DVC, which can be lost and made again."""
