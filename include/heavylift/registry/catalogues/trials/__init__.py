"""MLflow's experiments and runs on their way to SageMaker's experiments."""
