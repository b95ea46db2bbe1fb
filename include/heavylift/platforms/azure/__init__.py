"""Adapters of one platform; the only place that imports its SDK."""
