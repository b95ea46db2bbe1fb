"""Lanes of the scan for personal data."""

US, PEER = "heavylift", "presidio"
