"""Prometheus' HTTP interface, and that of servers which speak it: queries over a range. Only reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heavylift.connections import Connection, http_address, http_authorisation
from heavylift.errors import ConnectionConfigError, PermanentError
from heavylift.platforms.control import Limits
from heavylift.platforms.rest_control import Headers, Paging, RestPlane
from heavylift.platforms.rest_faults import Reading, Told, not_json
from heavylift.platforms.tokens import may_carry_tokens

MOST_POINTS = 11_000
"""Moments of one series that Prometheus answers at most."""

_RANGE = "GET /api/v1/query_range"


@dataclass(frozen=True)
class Ranged:
    """One series of an answer; what was missing has no point."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Prometheus:
    """Asks one server; safe to use from many threads.

    :param connection: type ``http`` or ``https``; token, or login and password, where it wants them.
    :raises ConnectionConfigError: it is of another type, has no host, or a secret would travel in the clear.
    """

    def __init__(self, connection: Connection, limits: Limits | None = None) -> None:
        url = http_address(connection)
        headers = http_authorisation(connection)
        if connection.conn_type not in ("http", "https") or not url:
            raise _wrong(
                connection,
                f"type {connection.conn_type!r}" + ("" if url else ", no host"),
                "type http or https, and its host",
                "9401",
            )
        if headers and not may_carry_tokens(url):
            raise _wrong(connection, "credentials and an address without TLS", "https:// with them", "9402")

        async def authorisation() -> Headers:
            return headers

        self._rest = RestPlane(
            lambda _service, _region: url,
            authorisation,
            Paging("", "next"),
            Reading(told=_told, permission=lambda _what: "to read Prometheus", absent=False),
            limits=limits,
        )

    @property
    def requests(self) -> int:
        """Requests sent up to now, with those that were repeated."""
        return self._rest.requests

    def close(self) -> None:
        """Close all connections."""
        self._rest.close()

    def ranged(self, query: str, start: float, end: float, step: int) -> list[Ranged]:
        """Return the series that a query gives between two moments, one value each ``step`` seconds.

        Long ranges are asked for in parts, so that none has more moments than Prometheus answers.

        :raises PermanentError: it can't evaluate the query; its own message is told.
        """
        found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        at = start
        while at <= end:
            last = min(end, at + (MOST_POINTS - 1) * step)
            asked = {"query": query, "start": f"{at:.3f}", "end": f"{last:.3f}", "step": str(step)}
            for labels, points in _series(self._rest.call("prometheus", _RANGE, "", asked)):
                found.setdefault(tuple(sorted(labels.items())), []).extend(points)
            at = last + step
        return [Ranged(dict(labels), tuple(points)) for labels, points in found.items()]


def _series(answer: Mapping[str, Any]) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
    data = answer.get("data")
    result = data.get("result") if isinstance(data, Mapping) else None
    if answer.get("status") != "success" or not isinstance(data, Mapping) or not isinstance(result, list):
        raise not_json(_RANGE)
    if data.get("resultType") != "matrix":
        raise PermanentError(
            _RANGE,
            got=f"a {data.get('resultType')}",
            expected="a series over the range",
            state="nothing was changed",
            remedy="write a query that gives numbers over time",
            code="9403",
        )
    return [
        (
            {str(name): str(value) for name, value in dict(each.get("metric") or {}).items()},
            [
                (float(at), float(value))
                for at, value in each.get("values") or ()
                if math.isfinite(float(value))
            ],
        )
        for each in result
    ]


def _told(answer: Mapping[str, Any]) -> Told:
    return str(answer.get("errorType") or ""), str(answer.get("error") or "")


def _wrong(connection: Connection, got: str, expected: str, code: str) -> ConnectionConfigError:
    return ConnectionConfigError(
        f"using connection {connection.conn_id!r} for Prometheus",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy=f"correct connection {connection.conn_id!r}",
        code=code,
    )
