"""Kubernetes over its REST API."""
