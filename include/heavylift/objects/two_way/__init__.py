"""Keeping two places equal while both are written to: a three-way compare and a policy for conflicts."""
