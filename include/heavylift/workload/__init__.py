"""Tests of the moved workload, on what baselines, the canary's endpoints and stores can do.

It stands beside :mod:`heavylift.switching`, above the capabilities, which know nothing of each other.
"""
