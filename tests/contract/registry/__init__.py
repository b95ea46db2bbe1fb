"""Adapters of registries against servers that check requests by the vendors' published schemas."""
