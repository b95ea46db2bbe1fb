"""Switching a live workload to the target, watching it, and switching it back."""
