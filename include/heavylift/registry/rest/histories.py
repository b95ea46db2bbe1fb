"""Reads whole histories of metrics, of many runs with each request where the server can."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from heavylift.errors import NotFoundError
from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.rest.entities import points_digest

_BULK = "ajax-api/2.0/mlflow/metrics/get-history-bulk"
_SINGLE = "api/2.0/mlflow/metrics/get-history"
_RUNS_AT_ONCE = 100
_MOST_POINTS = 25_000

History = tuple[int, bytes]
"""How many points, and the digest of them all."""


class Histories:
    """The metrics' histories of one server."""

    def __init__(self, server: TrackingServer) -> None:
        self._server = server
        self._bulk = True

    async def of(self, metrics: Mapping[str, Sequence[str]]) -> AsyncIterator[tuple[str, str, History]]:
        """Yield run, metric and history for each metric of each run.

        :param metrics: by run, the names of its metrics.
        """
        runs_by_name: dict[str, list[str]] = {}
        for run, names in metrics.items():
            for name in names:
                runs_by_name.setdefault(name, []).append(run)
        for name, runs in runs_by_name.items():
            for start in range(0, len(runs), _RUNS_AT_ONCE):
                found = await self._group(name, runs[start : start + _RUNS_AT_ONCE])
                for run, history in found.items():
                    yield run, name, history

    async def _group(self, name: str, runs: Sequence[str]) -> dict[str, History]:
        if self._bulk and len(runs) > 1:
            points = await self._many(name, runs)
            if points is not None and len(points) < _MOST_POINTS:
                return _by_run(runs, points)
            if points is not None:
                # Cut off: what is missing shows nowhere in the answer.
                half = len(runs) // 2
                return await self._group(name, runs[:half]) | await self._group(name, runs[half:])
        return {run: await self._one(name, run) for run in runs}

    async def _many(self, name: str, runs: Sequence[str]) -> list[dict[str, Any]] | None:
        query: dict[str, str | int | Sequence[str]] = {
            "run_id": list(runs),
            "metric_key": name,
            "max_results": _MOST_POINTS,
        }
        try:
            answer = await self._server.get(_BULK, query)
        except NotFoundError:
            # Not every server has it.
            self._bulk = False
            return None
        return list(answer.get("metrics") or [])

    async def _one(self, name: str, run: str) -> History:
        points: list[dict[str, Any]] = []
        query = {"run_id": run, "metric_key": name, "max_results": _MOST_POINTS}
        async for page in self._server.pages(_SINGLE, "metrics", query):
            points += page
        return len(points), points_digest(points)


def _by_run(runs: Sequence[str], points: Sequence[Mapping[str, Any]]) -> dict[str, History]:
    grouped: dict[str, list[Mapping[str, Any]]] = {run: [] for run in runs}
    for point in points:
        grouped[str(point["run_id"])].append(point)
    return {run: (len(found), points_digest(found)) for run, found in grouped.items()}
