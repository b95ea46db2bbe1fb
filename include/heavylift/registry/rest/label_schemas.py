"""Label schemas, read without making any.

A server that is asked for an experiment's list makes its default schema where there is none, and a comparison
writes nothing. So a list is asked for only where the default one is there; else those are that the other side
tells of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from heavylift.errors import NotFoundError
from heavylift.registry.rest.client import TrackingServer

_API = "api/3.0/mlflow/label-schemas"
_DEFAULT = "Feedback"
_PAGE = 100

Raw = dict[str, Any]


async def label_schemas(
    source: TrackingServer, target: TrackingServer, experiment: str
) -> tuple[list[Raw], list[Raw]]:
    """Return what both sides tell of an experiment that has one id on both."""
    ours, theirs = await asyncio.gather(listed(source, experiment), listed(target, experiment))
    if ours is None:
        ours = await _named(source, theirs or ())
    if theirs is None:
        theirs = await _named(target, ours)
    return ours, theirs


async def listed(server: TrackingServer, experiment: str) -> list[Raw] | None:
    """Return an experiment's schemas; None where a list would make one."""
    query = {"experiment_id": experiment, "name": _DEFAULT}
    try:
        answer = await server.get(f"{_API}/get-by-name", query)
    except NotFoundError:
        return None
    if not answer.get("label_schema", {}).get("is_default"):
        return None
    asked = {"experiment_id": experiment, "max_results": _PAGE}
    return [each async for page in server.pages(f"{_API}/list", "label_schemas", asked) for each in page]


async def _named(server: TrackingServer, others: Iterable[Raw]) -> list[Raw]:
    """Return those of the other side's schemas that this one has, too."""
    found = []
    for each in others:
        try:
            answer = await server.get(f"{_API}/get", {"schema_id": str(each["schema_id"])})
        except NotFoundError:
            continue
        if "label_schema" in answer:
            found.append(answer["label_schema"])
    return found
