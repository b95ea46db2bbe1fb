"""Endpoints on Vertex AI, Azure ML and SageMaker: planned, brought up, proved to serve, removed."""
