"""Autoscaling of endpoints for another platform, and proof by simulating both against the same load."""
