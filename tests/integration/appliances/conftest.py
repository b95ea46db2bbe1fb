"""Fixtures of the offline path's integration tests: those of the object movers."""

from __future__ import annotations

from tests.integration.objects.conftest import new_container, servers

__all__ = ["new_container", "servers"]
