"""Findings, comparison of platforms and the plan of a move: pure functions over records."""
