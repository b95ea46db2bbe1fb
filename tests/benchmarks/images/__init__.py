"""Lanes of container images."""
