"""The tables of Kubernetes: its types, and what names what in its answers."""
