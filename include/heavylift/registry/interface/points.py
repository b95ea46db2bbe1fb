"""Reads whole histories of metrics, point by point, so that they can be written again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from heavylift.errors import NotFoundError
from heavylift.registry.rest.client import Query, TrackingServer

_BULK = "ajax-api/2.0/mlflow/metrics/get-history-bulk"
_SINGLE = "api/2.0/mlflow/metrics/get-history"
MOST_POINTS = 25_000
RUNS_AT_ONCE = 50

Point = tuple[str, int, int]
"""Value as Python writes it, timestamp, step: what makes a point another, for the server too."""


class Points:
    """One server's histories.

    :param fallbacks: takes in the name of a route that the server lacks.
    """

    def __init__(self, server: TrackingServer, fallbacks: set[str]) -> None:
        self._server = server
        self._bulk = True
        self._fallbacks = fallbacks

    async def of(self, name: str, runs: Sequence[str]) -> AsyncIterator[tuple[str, list[Point]]]:
        """Yield points of one metric, run by run; a run's may come in several lists.

        A request that brings the most that an answer may hold has been cut off: then each run is read by
        itself, by pages, and memory stays bounded by one page.
        """
        if self._bulk and len(runs) > 1:
            found = await self._many(name, runs)
            if found is not None:
                for run, points in found.items():
                    yield run, points
                return
        if len(runs) > 1:
            half = len(runs) // 2 if self._bulk else 1
            for part in (runs[:half], runs[half:]):
                async for each in self.of(name, part):
                    yield each
            return
        async for page in self._server.pages(
            _SINGLE, "metrics", {"run_id": runs[0], "metric_key": name, "max_results": MOST_POINTS}
        ):
            yield runs[0], [_point(each) for each in page]

    async def _many(self, name: str, runs: Sequence[str]) -> dict[str, list[Point]] | None:
        query: Query = {"run_id": list(runs), "metric_key": name, "max_results": MOST_POINTS}
        try:
            answer = await self._server.get(_BULK, query)
        except NotFoundError:
            self._bulk = False
            self._fallbacks.add("metrics/get-history-bulk: histories were read one by one")
            return None
        points = answer.get("metrics") or []
        if len(points) >= MOST_POINTS:
            return None
        found: dict[str, list[Point]] = {}
        for each in points:
            found.setdefault(str(each["run_id"]), []).append(_point(each))
        return found


def _point(each: Mapping[str, Any]) -> Point:
    # A value of zero may be left out of an answer, but not one of minus zero; one beyond JSON is a text.
    return (
        repr(float(each.get("value", 0.0))),
        int(each.get("timestamp") or 0),
        int(each.get("step") or 0),
    )
