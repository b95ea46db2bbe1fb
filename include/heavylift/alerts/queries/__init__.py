"""Queries of logs: read in one language, written in another, and replayed over the same lines."""
