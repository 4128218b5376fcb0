-- The three databases, each empty: Prefect, MLflow and the label page make their tables when they start.
CREATE DATABASE prefect;
CREATE DATABASE mlflow;
CREATE DATABASE labels;
