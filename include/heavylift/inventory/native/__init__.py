"""Servers and file systems that have no control plane of a cloud: read through their own protocols."""
