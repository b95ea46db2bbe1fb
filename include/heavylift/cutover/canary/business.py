"""Reads a figure of the business for both sides from a server that speaks Prometheus' API."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from heavylift.connections import Connection, http_address, http_authorisation
from heavylift.cutover.canary.samples import Business
from heavylift.errors import ConnectionConfigError, HeavyliftError, IntegrityError
from heavylift.platforms.http import HttpClient, HttpSettings, Request
from heavylift.spec.canary_rules import BusinessMetric


class BusinessReader:
    """The two queries of one business metric. Made within the event loop that it is used in."""

    def __init__(self, connection: Connection, metric: BusinessMetric) -> None:
        if connection.conn_type not in {"http", "https"} or not connection.host:
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for the business metric {metric.name!r}",
                got=f"the type {connection.conn_type!r}" + ("" if connection.host else " and no host"),
                expected="the type http, and the server's URL without /api in the field host",
                state="nothing was asked",
                remedy=f"complete the connection {connection.conn_id!r}",
                code="8764",
            )
        self._connection = connection
        self._metric = metric
        self._client = HttpClient(self._sign, _no_reading, settings=HttpSettings(connections=2, attempts=2))

    async def read(self, moment: float, at: float) -> Business:
        """Return one reading of both sides, of the same moment.

        :param moment: in the analysis' own time; ``at`` in seconds since 1970.
        :raises HeavyliftError: the server does not answer, refuses, or has no one number for a query.
        """
        source = await self._one(self._metric.source_query, at)
        target = await self._one(self._metric.target_query, at)
        return Business(moment, source, target)

    async def _one(self, query: str, at: float) -> float:
        asked = urlencode({"query": query, "time": f"{at:.3f}"})
        url = f"{http_address(self._connection)}/api/v1/query?{asked}"
        what = f"reading the business metric {self._metric.name!r}"
        response = await self._client.send(Request("GET", url, what, {}), most_bytes=2**20)
        found = _value(bytes(response.body))
        if found is None:
            raise IntegrityError(
                what,
                got="an answer without exactly one number",
                expected="a query that gives one number, such as a sum",
                state="this reading is left out",
                remedy="correct source_query and target_query below cutover.analysis.business",
                code="8765",
            )
        return found

    async def _sign(self, request: Request) -> Mapping[str, str]:
        return {"Accept": "application/json", **http_authorisation(self._connection)}

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


def _no_reading(
    _request: Request, _status: int, _headers: Mapping[str, str], _body: bytes
) -> HeavyliftError | None:
    return None


def _value(content: bytes) -> float | None:
    """Return the one number of an instant query's answer: of a scalar, or of a vector of one sample."""
    try:
        data: Any = json.loads(content)["data"]
        result = data["result"]
        if data["resultType"] == "vector":
            if len(result) != 1:
                return None
            result = result[0]["value"]
        number = float(result[1])
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return number if math.isfinite(number) else None
