"""Checks of tabular data on both sides of a move: expectations, row counts, column profiles."""
