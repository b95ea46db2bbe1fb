"""Runs the tasks of a transfer DAG by hand, deferrals included."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from airflow.sdk.exceptions import TaskDeferred
from airflow.triggers.base import BaseTrigger

from heavylift_airflow.operators.services.run import RunServiceOperator
from heavylift_airflow.operators.transfer import (
    CopyObjectsOperator,
    PlanTransferOperator,
    VerifyObjectsOperator,
)
from tests.plugins.world import context_of


def task(kind: type[Any], spec_path: str, **arguments: Any) -> Any:
    """Return one task of the dataset ``data``."""
    return kind(task_id=kind.__name__, spec_path=spec_path, phase="transfer", dataset="data", **arguments)


def plan(spec_path: str, **changes: Any) -> list[dict[str, int]]:
    made = task(PlanTransferOperator, spec_path)
    shards: list[dict[str, int]] = made.execute(context_of(made, **changes))
    return shards


def copy_rest(spec_path: str, shards: list[dict[str, int]], **changes: Any) -> int:
    """Let the workers copy what is not the service's; return how many objects they moved."""
    moved = 0
    for shard in shards:
        made = task(CopyObjectsOperator, spec_path, shard=shard)
        moved += made.execute(context_of(made, **changes))["moved"]
    return moved


def serve(spec_path: str, kind: type[Any] = RunServiceOperator, **changes: Any) -> dict[str, int]:
    """Run the service's task to its end; the trigger runs as in the triggerer, from its JSON."""
    made = task(kind, spec_path)
    context = context_of(made, **changes)
    try:
        result: dict[str, int] = made.execute(context)
        return result
    except TaskDeferred as deferred:
        event = fire(deferred.trigger)
        woken = task(kind, spec_path)
        resumed: dict[str, int] = getattr(woken, deferred.method_name)(context, event)
        return resumed


def again(trigger: BaseTrigger) -> Any:
    """Return the trigger as the triggerer makes it again."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)(**arguments)


def fire(trigger: BaseTrigger) -> Any:
    """Run a trigger until its event, and return what the event carries."""

    async def first() -> Any:
        async for event in again(trigger).run():
            return event.payload
        raise AssertionError("the trigger ended without an event")

    return asyncio.run(first())


def verify(spec_path: str, **changes: Any) -> dict[str, Any]:
    made = task(VerifyObjectsOperator, spec_path)
    summary: dict[str, Any] = made.execute(context_of(made, **changes))
    return summary
