"""Baselines: what a live endpoint does today, measured from outside before anything moves."""
