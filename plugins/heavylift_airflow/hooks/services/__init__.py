"""Hooks to the platforms' transfer services, on the hooks of their providers."""
