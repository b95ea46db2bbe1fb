"""Platforms: one adapter for each cloud behind the ports of ``heavylift.platforms.ports``."""
