"""Traces of servers before MLflow 3, whose interface tells them in another form: shown as today's do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from heavylift.errors import NotFoundError
from heavylift.registry.rest.client import TrackingServer

_TRACES = "api/3.0/mlflow/traces"
_OLDER = "api/2.0/mlflow/traces"
_PAGE, _OLDER_PAGE = 500, 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def trace_pages(server: TrackingServer, experiment: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield an experiment's traces without their spans, page by page.

    :raises NotFoundError: the server knows no traces, in neither form.
    """
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    query = {"locations": [place], "max_results": _PAGE}
    begun = False
    try:
        async for page in server.pages(f"{_TRACES}/search", "traces", query, post=True):
            begun = True
            yield page
        return
    except NotFoundError:
        if begun:
            raise
    older = {"experiment_ids": [experiment], "max_results": _OLDER_PAGE}
    async for page in server.pages(_OLDER, "traces", older):
        yield [_of_today(each) for each in page]


async def demand_trace(server: TrackingServer, trace: str) -> None:
    """Ask for a trace by itself, in either form.

    :raises HeavyliftError: the server does not show it.
    """
    try:
        await server.get(f"{_TRACES}/{trace}")
    except NotFoundError:
        await server.get(f"{_OLDER}/{trace}/info")


def _of_today(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what today's interface would tell of a trace."""
    status = str(info.get("status", ""))
    found = {
        "trace_id": str(info["request_id"]),
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": str(info.get("experiment_id", ""))},
        },
        "request_time": _time(int(info.get("timestamp_ms", 0))),
        "state": status if status in {"OK", "ERROR", "IN_PROGRESS"} else "STATE_UNSPECIFIED",
        "trace_metadata": _pairs(info.get("request_metadata") or ()),
        "tags": _pairs(info.get("tags") or ()),
    }
    if "execution_time_ms" in info:
        seconds, rest = divmod(int(info["execution_time_ms"]), 1000)
        found["execution_duration"] = f"{seconds}.{rest:03d}s" if rest else f"{seconds}s"
    return found


def _time(milliseconds: int) -> str:
    """Return a moment as today's interface spells it."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        # No calendar has it: the target refuses this, and the trace is named.
        return f"{milliseconds} ms"
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{milliseconds % 1000:03d}Z" if milliseconds % 1000 else f"{text}Z"


def _pairs(listed: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {str(each["key"]): str(each.get("value", "")) for each in listed}
