"""Links of traces to runs: a trace does not tell them, a search for a run's traces does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from heavylift.registry.rest.client import TrackingServer

_SEARCH = "api/3.0/mlflow/traces/search"
_OWN_RUN = "mlflow.sourceRun"
_PAGE, _RUNS_AT_ONCE = 500, 50


async def linked_traces(server: TrackingServer, experiment: str, runs: Iterable[str]) -> dict[str, set[str]]:
    """Return which of an experiment's traces are linked to each of some runs, besides those that it made.

    :raises NotFoundError: the server has no such search.
    """
    found: dict[str, set[str]] = {}
    waiting = list(runs)
    for start in range(0, len(waiting), _RUNS_AT_ONCE):
        part = waiting[start : start + _RUNS_AT_ONCE]
        told = await asyncio.gather(*(_of_run(server, experiment, each) for each in part))
        found |= {run: traces for run, traces in zip(part, told, strict=True) if traces}
    return found


async def _of_run(server: TrackingServer, experiment: str, run: str) -> set[str]:
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    query = {"locations": [place], "max_results": _PAGE, "filter": f"attributes.run_id = '{run}'"}
    return {
        str(each["trace_id"])
        async for page in server.pages(_SEARCH, "traces", query, post=True)
        for each in page
        if (each.get("trace_metadata") or {}).get(_OWN_RUN) != run
    }
