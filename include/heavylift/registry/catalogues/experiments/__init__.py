"""SageMaker's experiments on their way to an MLflow server."""
