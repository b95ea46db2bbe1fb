"""Workspaces of a tracking server: what is asked for without naming one is of the default one alone."""

from __future__ import annotations

from typing import Any

from heavylift.errors import CredentialError, HeavyliftError, TransientError
from heavylift.registry.rest.client import TrackingServer

DEFAULT = "default"


async def workspaces_of(server: TrackingServer) -> dict[str, dict[str, Any]]:
    """Return a server's workspaces by name; nothing where it has no such thing, or has it switched off."""
    try:
        # A server that has them switched off answers the list itself as if it were overloaded.
        about = await server.get("api/3.0/mlflow/server-info")
    except (CredentialError, TransientError):
        raise
    except HeavyliftError:
        return {}
    if not about.get("workspaces_enabled"):
        return {}
    answer = await server.get("api/3.0/mlflow/workspaces")
    return {str(each["name"]): each for each in answer.get("workspaces") or []}
