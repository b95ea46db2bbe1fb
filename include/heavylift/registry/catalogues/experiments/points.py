"""Points of a trial component's metrics: one by one where ``sagemaker-metrics`` tells them, else the last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from heavylift.errors import PermanentError, ServerUnavailableError
from heavylift.registry.catalogues.experiments.reading import Service, Shape

SERVICE = "sagemaker-metrics"
BY_STEP, BY_TIME = ("IterationNumber", "IterationNumber"), ("OneMinute", "Timestamp")
"""Period and kind of x-axis: no query tells both a point's step and its time."""
_QUERIES = 100
_MILLISECONDS_FROM = 10**11
_MOST_POINTS_KEPT = 500_000
_NOT_TO_BE_HAD = frozenset({"7601", "7604", "7605"})
"""Codes of what is denied, not known to the server, and not there."""

Point = tuple[float, int, int]
"""Value, time in milliseconds, step."""


@dataclass(frozen=True)
class Series:
    """What is known of one metric of a component.

    :param untold: of how many points only the summary knows.
    :param untimed: how many of the points bear their component's time in place of their own.
    """

    points: tuple[Point, ...]
    untold: int = 0
    untimed: int = 0


@dataclass
class PointReader:
    """Reads points; whether the service may be asked is found out once."""

    service: Service
    refused: str = ""
    _asked: bool = False
    _kept: dict[str, dict[str, Series]] = field(default_factory=dict)
    _size: int = 0

    @property
    def one_by_one(self) -> bool:
        """Tell whether the service tells points; before it was asked it is taken to."""
        return not self.refused

    async def of(self, component: Shape) -> dict[str, Series]:
        """Return the metrics of a component by name."""
        name = str(component["TrialComponentName"])
        if name in self._kept:
            return self._kept[name]
        summaries = by_name(component)
        found = await self._read(component, summaries) if summaries else {}
        size = sum(len(each.points) for each in found.values())
        if self._size + size > _MOST_POINTS_KEPT:
            self._kept.clear()
            self._size = 0
        self._kept[name] = found
        self._size += size
        return found

    async def _read(self, component: Shape, summaries: Mapping[str, Shape]) -> dict[str, Series]:
        arn = str(component["TrialComponentArn"])
        made = milliseconds(component["CreationTime"])
        steps = await self._ask(arn, summaries, BY_STEP)
        if steps is None:
            return {name: only_last(each, made) for name, each in summaries.items()}
        without = [name for name in summaries if not steps.get(name)]
        times = await self._ask(arn, without, BY_TIME) or {}
        running = _is_running(component)
        found = {}
        for name, summary in summaries.items():
            if steps.get(name):
                found[name] = _series(summary, [(value, made, x) for x, value in steps[name]], untimed=True)
                continue
            points = [(value, _time(x), 0) for x, value in times.get(name, ())]
            if running:
                # The last minute may still bring another value, and a point that was written stays.
                found[name] = _series(summary, points[:-1])
            else:
                found[name] = _series(summary, points) if points else only_last(summary, made)
        return found

    async def _ask(
        self, arn: str, names: Iterable[str], axis: tuple[str, str]
    ) -> dict[str, list[tuple[int, float]]] | None:
        """Return the last value at each place of the x-axis; None where the service is not to be had."""
        found: dict[str, list[tuple[int, float]]] = {}
        due: list[dict[str, Any]] = [
            {
                "MetricName": name,
                "ResourceArn": arn,
                "MetricStat": "Last",
                "Period": axis[0],
                "XAxisType": axis[1],
            }
            for name in names
        ]
        while due and not self.refused:
            now, due = due[:_QUERIES], due[_QUERIES:]
            answer = await self._call(now)
            if not self.refused and len(answer) != len(now):
                raise _failed(f"{len(answer)} results for {len(now)} questions")
            for query, result in zip(now, answer, strict=False):
                if self._take(found.setdefault(query["MetricName"], []), result):
                    # Cut off: the rest begins behind what has come.
                    due.append({**query, "Start": found[query["MetricName"]][-1][0] + 1})
        return None if self.refused else found

    @staticmethod
    def _take(into: list[tuple[int, float]], result: Shape) -> bool:
        """Take in an answer's points; tell whether there are more."""
        status = result["Status"]
        if status == "InternalError":
            raise _failed(str(result.get("Message") or status))
        if status == "ValidationError":
            return False
        pairs = sorted(zip(result["XAxisValues"], result["MetricValues"], strict=True))
        new = [(int(x), float(value)) for x, value in pairs if not into or int(x) > into[-1][0]]
        into += new
        # Where the rest is not to be had by another beginning the summary's count tells what is missing.
        return status == "Truncated" and bool(new)

    async def _call(self, queries: list[dict[str, Any]]) -> list[Shape]:
        if not self._asked and not self.service.offers(SERVICE):
            self.refused = f"{SERVICE} is not in this region"
            return []
        try:
            answer = await self.service.call("BatchGetMetrics", {"MetricQueries": queries}, SERVICE)
        except PermanentError as error:
            # Once it has answered, a refusal is no reason to do with less.
            if self._asked or error.code not in _NOT_TO_BE_HAD:
                raise
            self.refused = f"{SERVICE}:BatchGetMetrics is refused (HL-{error.code})"
            return []
        self._asked = True
        return list(answer["MetricQueryResults"])


def _series(summary: Shape, points: list[Point], *, untimed: bool = False) -> Series:
    untold = max(int(summary.get("Count") or 0) - len(points), 0)
    return Series(tuple(points), untold, len(points) if untimed else 0)


def _is_running(component: Shape) -> bool:
    status = (component.get("Status") or {}).get("PrimaryStatus")
    return status == "InProgress" or (status is None and component.get("EndTime") is None)


def by_name(component: Shape) -> dict[str, Shape]:
    """Return the summaries of a component's metrics; of a name that comes twice the first."""
    found: dict[str, Shape] = {}
    for each in component.get("Metrics") or ():
        found.setdefault(str(each["MetricName"]), each)
    return found


def only_last(summary: Shape, made: int) -> Series:
    """Return what a summary alone tells."""
    count = int(summary.get("Count") or 0)
    if "Last" not in summary:
        return Series((), count)
    time = milliseconds(summary["TimeStamp"]) if summary.get("TimeStamp") else made
    return Series(((float(summary["Last"]), time, 0),), max(count - 1, 0))


def milliseconds(moment: datetime) -> int:
    """Return a time as MLflow tells it."""
    return round(moment.timestamp() * 1000)


def _time(x: int) -> int:
    return x if x >= _MILLISECONDS_FROM else x * 1000


def _failed(message: str) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"reading points of metrics from {SERVICE}",
        got=message[:200],
        expected="the points",
        state="what was written stays, and another run goes on from there",
        remedy="run the same command again",
        code="9612",
    )
