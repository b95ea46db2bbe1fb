"""Lanes of the object mover: copying, doing nothing, listing and comparing, beside its peers."""

US = "heavylift"
"""The name of our own tool in every lane."""
