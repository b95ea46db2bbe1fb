"""Watches what was moved: drift, accuracy, latency, error budgets, on both sides of the switch."""
