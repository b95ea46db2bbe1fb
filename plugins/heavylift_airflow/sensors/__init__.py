"""Sensors: they wait without holding a worker."""
