"""Which points of a run's metrics go to SageMaker, and the sending of them."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from heavylift.errors import (
    CredentialError,
    HeavyliftError,
    IncompleteError,
    PermanentError,
    ServerUnavailableError,
)
from heavylift.registry.catalogues.experiments.points import BY_STEP, SERVICE
from heavylift.registry.catalogues.experiments.reading import Shape
from heavylift.registry.catalogues.trials.limits import MOST_STEP, trial_limits
from heavylift.registry.catalogues.trials.service import Changes, ChangingService
from heavylift.registry.interface.points import Point
from heavylift.registry.interface.server import again

OLDEST_SECONDS, NEWEST_SECONDS = 14 * 86_400, 2 * 3600
"""The service's own client sends no point that is older, or of a time to come."""
_SOON_SECONDS = 3600
"""A point that would be too old before its turn comes is taken to be so."""
_BUSY = "INTERNAL_ERROR"
_REFUSED, _NO_ROUTE = frozenset({"7601", "7604"}), "7605"
REASONS = {
    "v": ("points that are no number", "the service takes finite numbers alone"),
    "s": ("points of a step that is not taken", f"steps there are from 0 to {MOST_STEP:,}"),
    "m": ("points of a step that has a later one", "the last of each step can be read there"),
    "t": (
        "times of points",
        "of those older than two weeks, or to come: they bear the move's",
    ),
    "n": (
        "points of a name that is not taken",
        "a metric's name there is one short line",
    ),
    "u": ("points but the last", "there is no service of metrics, or it may not be asked: the last is a tag"),
}
"""By a letter what is lost of points, and why."""


@dataclass
class Due:
    """The points of one metric that can be there, by step: value and time in milliseconds."""

    points: dict[int, tuple[float, int]] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)

    def take(self, points: Iterable[Point]) -> None:
        """Take in points of the source, in any order."""
        for text, moment, step in points:
            value = float(text) + 0.0
            if not math.isfinite(value):
                self.lost["v"] += 1
            elif not trial_limits().least_step <= step <= MOST_STEP:
                self.lost["s"] += 1
            else:
                there = self.points.get(step)
                self.lost["m"] += there is not None
                if there is None or (moment, value) > (there[1], there[0]):
                    self.points[step] = (value, moment)

    def losses(self, now: float) -> Counter[str]:
        """Return how many are lost, and of how many the time."""
        oldest, newest = now - OLDEST_SECONDS + _SOON_SECONDS, now + NEWEST_SECONDS
        old = sum(not oldest <= moment / 1000 < newest for _, moment in self.points.values())
        return +(self.lost + Counter(t=old))


def shown(metrics: Iterable[Shape], *, last_values: bool) -> str:
    """Return a short digest of the latest points as a search shows them, and of how they are there."""
    told = [
        [
            str(each["key"]),
            repr(float(each.get("value") or 0.0)),
            int(each.get("timestamp") or 0),
            int(each.get("step") or 0),
        ]
        for each in metrics
    ]
    whole = json.dumps([last_values, sorted(told)])
    return hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()


def mark_of(digest: str, lost: Mapping[str, int]) -> str:
    """Return the mark of a run whose points are all there: what was shown of them, and what was lost."""
    return ":".join([digest, *(f"{letter}{count}" for letter, count in sorted(lost.items()) if count)])


def lost_in(mark: str) -> Counter[str]:
    """Return what a mark tells to be lost."""
    parts = mark.split(":")[1:]
    return Counter({each[0]: int(each[1:]) for each in parts if each[:1] in REASONS and each[1:].isdigit()})


async def why_no_points(service: ChangingService) -> str:
    """Return why no points can be sent; empty where the service of metrics answers. Nothing is written."""
    if not service.offers(SERVICE):
        return f"{SERVICE} is not in this region"
    period, axis = BY_STEP
    try:
        # Where nobody tells the account the service is taken to answer: what it refuses is told then.
        arn = await service.account_arn()
    except CredentialError:
        raise
    except HeavyliftError:
        return ""
    query = {
        "MetricName": "heavylift",
        "ResourceArn": f"{arn}:experiment-trial-component/heavylift",
        "MetricStat": "Last",
        "Period": period,
        "XAxisType": axis,
    }
    try:
        await again(lambda: service.call("BatchGetMetrics", {"MetricQueries": [query]}, SERVICE))
    except PermanentError as error:
        # That there is no such component says that the service answers.
        if error.code in _REFUSED or (error.code == _NO_ROUTE and error.got.startswith("404")):
            return f"{SERVICE}:BatchGetMetrics is refused (HL-{error.code})"
    return ""


@dataclass
class Sending:
    """Points of one component on their way; ten go into a request, whatever metrics they are of."""

    changes: Changes
    component: str
    sent: int = 0
    _waiting: list[dict[str, Any]] = field(default_factory=list)

    async def add(self, metric: str, points: Mapping[int, tuple[float, int]]) -> None:
        """Take points of one metric, and send as many as fill requests, the lowest step first."""
        for step, (value, moment) in sorted(points.items()):
            self._waiting.append({"MetricName": metric, "Step": step, "Value": value, "Timestamp": moment})
            if len(self._waiting) >= trial_limits().points:
                await self.flush()

    async def flush(self) -> None:
        """Send what waits."""
        if self._waiting:
            batch, self._waiting = self._waiting, []
            await again(lambda: self._send(batch))
            self.sent += len(batch)

    async def _send(self, batch: list[dict[str, Any]]) -> None:
        now = time.time()
        told = [{**each, "Timestamp": _time(each["Timestamp"] / 1000, now)} for each in batch]
        request = {"TrialComponentName": self.component, "MetricData": told}
        answer = await self.changes.put("BatchPutMetrics", request, SERVICE)
        errors = list(answer.get("Errors") or ())
        if any(each.get("Code") == _BUSY for each in errors):
            raise _failed(self.component)
        if errors:
            raise _refused(self.component, errors, batch)


def _time(moment: float, now: float) -> datetime:
    """Return a point's time in whole seconds, as the service's own client does; now where it is not taken."""
    fits = now - OLDEST_SECONDS < moment < now + NEWEST_SECONDS
    return datetime.fromtimestamp(int(moment if fits else now), UTC)


def _failed(component: str) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"sending points of metrics of {component} to {SERVICE}",
        got=_BUSY,
        expected="that the service takes them",
        state="some may be there: they are looked for before any is sent again",
        remedy="run the same command again",
        code="9617",
    )


def _refused(component: str, errors: Iterable[Shape], batch: list[dict[str, Any]]) -> IncompleteError:
    named = []
    for each in errors:
        number = int(each.get("MetricIndex") or 0)
        point = batch[number] if number < len(batch) else {}
        named.append(
            f"{each.get('Code')} for {str(point.get('MetricName', '?'))[:60]!r} at step {point.get('Step')}"
        )
    return IncompleteError(
        f"sending points of metrics of {component} to {SERVICE}",
        got="; ".join(named),
        expected="that the service takes them",
        state="the other points of this run are there or follow in the next run",
        remedy="METRIC_LIMIT_EXCEEDED: ask AWS for a higher quota of metrics; else look at the points named",
        code="9618",
    )
