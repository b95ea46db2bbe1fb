"""Triggers: what the triggerer runs for waiting tasks. They import little."""
