"""Example workloads that the demo and the tests move."""
