"""Benchmarks: each lane runs Heavylift and its peers side by side, in turn, and prints ratios.

``./dev bench [LANE] [--json FILE]``. Nothing here passes or fails: figures are for people.
"""
