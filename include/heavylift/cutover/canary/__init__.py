"""Judges the target against the source at the same moment: shadow and canary steps, always-valid tests."""
