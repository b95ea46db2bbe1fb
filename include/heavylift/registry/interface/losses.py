"""What no interface takes, whatever a store holds; what depends on the store is noted where it is met."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from heavylift.errors import CredentialError, HeavyliftError, TransientError
from heavylift.registry.interface.context import Context
from heavylift.registry.rest.client import TrackingServer

_V3, _AJAX3 = "api/3.0/mlflow", "ajax-api/3.0/mlflow"

KEPT_AS_TAGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("experiment", ("experiment_id", "creation_time", "last_update_time", "artifact_location")),
    ("run", ("run_id", "artifact_uri")),
    ("logged model", ("model_id", "creation_timestamp_ms", "last_updated_timestamp_ms", "artifact_uri")),
    ("registered model", ("creation_timestamp", "last_updated_timestamp")),
    ("model version", ("creation_timestamp", "last_updated_timestamp", "user_id", "run_id", "source")),
    ("evaluation dataset", ("dataset_id", "created_time", "last_update_time", "digest", "created_by")),
)
"""What the interface gives anew, and what the source had is kept as tags ``heavylift.source.*``."""

_HIDDEN = (
    ("logged model", "deleted ones", "the interface shows none"),
    ("model version", "numbers of deleted versions after the last", "the interface shows none"),
    ("run", "the time of a deletion", "the interface shows none"),
    ("trace", "links to runs that are not its own", "the interface shows none"),
    ("record of an evaluation dataset", "ids and times", "the interface gives new ones"),
    ("scorer", "id and time", "the interface gives new ones"),
    ("permissions", "all", "they are no part of the interface of experiments and models"),
)

_COUNTED = (
    ("issue", "POST", f"{_V3}/issues/search", "issues"),
    ("review queue", "GET", f"{_V3}/review-queues/list", "review_queues"),
    ("gateway endpoint", "GET", f"{_AJAX3}/gateway/endpoints/list", "endpoints"),
    ("gateway secret", "GET", f"{_AJAX3}/gateway/secrets/list", "secrets"),
    ("MCP server", "GET", f"{_AJAX3}/mcp-servers", "mcp_servers"),
)


async def note_hidden(context: Context) -> None:
    """Note what the interface neither shows nor takes, and what this version does not move."""
    for what, item, reason in _HIDDEN:
        context.tally.lose(what, item, reason, count=0)
    for what, method, path, field in _COUNTED:
        count = await _count(context.source, method, path, field)
        if count:
            context.tally.lose(what, "all", "this version does not move them", count=count)


async def _count(server: TrackingServer, method: str, path: str, field: str) -> int:
    """Return how many things a route tells of; 0 where the server has no such route."""
    found = 0
    try:
        async for page in _pages(server, method, path, field):
            found += len(page)
    except (CredentialError, TransientError):
        raise
    except HeavyliftError:
        return found
    return found


async def _pages(server: TrackingServer, method: str, path: str, field: str) -> AsyncIterator[list[Any]]:
    query = {"max_results": 100} if method == "POST" else {}
    async for page in server.pages(path, field, query, post=method == "POST"):
        yield page
