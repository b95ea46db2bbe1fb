"""Lanes of the database mover, beside PostgreSQL's own ways."""

US = "heavylift"
"""The name of our own tool in every lane."""
