"""What no interface takes, whatever a store holds; what depends on the store is noted where it is met."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from heavylift.errors import CredentialError, HeavyliftError, TransientError
from heavylift.registry.interface.context import Context
from heavylift.registry.interface.experiments import all_experiments
from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.rest.label_schemas import listed
from heavylift.registry.rest.workspaces import DEFAULT, workspaces_of

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
    ("trace", "links to runs of another experiment, and to prompts", "each pair costs a search"),
    ("record of an evaluation dataset", "ids and times", "the interface gives new ones"),
    ("scorer", "id and time, and how often it runs by itself", "the interface gives new ones"),
    ("label schema", "those of experiments without the default one", "a server that is asked makes it"),
    ("job", "all", "they ran on the source"),
    ("permissions", "all", "they are no part of the interface of experiments and models"),
)

_COUNTED = (
    ("issue", "POST", f"{_V3}/issues/search", "issues"),
    ("gateway model definition", "GET", f"{_AJAX3}/gateway/model-definitions/list", "model_definitions"),
    ("gateway guardrail", "GET", f"{_AJAX3}/gateway/guardrails/list", "guardrails"),
    ("gateway budget", "GET", f"{_AJAX3}/gateway/budgets/list", "budget_policies"),
    ("gateway endpoint", "GET", f"{_AJAX3}/gateway/endpoints/list", "endpoints"),
    ("gateway secret", "GET", f"{_AJAX3}/gateway/secrets/list", "secrets"),
    ("MCP server", "GET", f"{_AJAX3}/mcp-servers", "mcp_servers"),
)


async def note_hidden(context: Context) -> None:
    """Note what the interface neither shows nor takes, and what this version does not move."""
    for what, item, reason in _HIDDEN:
        context.tally.lose(what, item, reason, count=0)
    # Who chooses experiments and models has chosen none of these.
    for what, method, path, field in _COUNTED if context.source.selected is None else ():
        query = {"max_results": 100} if method == "POST" else {}
        _lose(context, what, await _count(context.source, method, path, field, query))
    if context.source.selected is None:
        await _other_workspaces(context)
    active = [
        str(each["experiment_id"])
        async for each in all_experiments(context.source)
        if each.get("lifecycle_stage") != "deleted"
    ]
    queues = sum(await asyncio.gather(*(_queues(context.source, each) for each in active)))
    _lose(context, "review queue", queues)
    schemas = sum(await asyncio.gather(*(_label_schemas(context.source, each) for each in active)))
    _lose(context, "label schema", schemas)


async def _other_workspaces(context: Context) -> None:
    for name in sorted((await workspaces_of(context.source)).keys() - {DEFAULT}):
        reason = "without a workspace's name the interface shows the default one alone"
        context.tally.lose("workspace", "all that is in it", reason, name)


async def _queues(server: TrackingServer, experiment: str) -> int:
    path, query = f"{_V3}/review-queues/list", {"experiment_id": experiment}
    return await _count(server, "GET", path, "review_queues", query)


async def _label_schemas(server: TrackingServer, experiment: str) -> int:
    """Return how many an experiment has besides the default one, which each server makes by itself."""
    return sum(not each.get("is_default") for each in await listed(server, experiment) or ())


def _lose(context: Context, what: str, count: int) -> None:
    if count:
        context.tally.lose(what, "all", "this version does not move them", count=count)


async def _count(server: TrackingServer, method: str, path: str, field: str, query: Mapping[str, Any]) -> int:
    """Return how many things a route tells of; 0 where the server has no such route."""
    found = 0
    try:
        async for page in server.pages(path, field, query, post=method == "POST"):
            found += len(page)
    except (CredentialError, TransientError):
        raise
    except HeavyliftError:
        return found
    return found
