"""Kubernetes manifests, rewritten for another platform and checked for its version of Kubernetes."""
