"""Secrets: copied from store to store, compared by keyed digests, and written nowhere else."""
