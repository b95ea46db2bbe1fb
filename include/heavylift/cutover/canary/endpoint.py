"""One side's scoring endpoint: sends a request once and tells what came of it and when.

As for the baseline of an endpoint, nothing is repeated and no status is turned into an error: what is to be
compared must not be hidden (docs/adr/0027-baselines.md).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from heavylift.connections import Connection, http_address, http_authorisation
from heavylift.cutover.canary.samples import Prediction
from heavylift.errors import ConnectionConfigError, CredentialError
from heavylift.platforms.http_message import request_head, split_url
from heavylift.platforms.http_pool import Pool

MOST_ANSWER_BYTES = 16 * 2**20
_WHAT = "a request of the canary"
_MOST_CONNECTIONS = 1024
_MOST_NUMBERS = 100_000


@dataclass(frozen=True)
class Answered:
    """What came of one request.

    :param status: empty where the answer was good, else the kind of failure.
    :param seconds: from the moment it was due.
    """

    status: str
    seconds: float
    prediction: Prediction | None = None


class Scoring:
    """One side's endpoint. Made within the event loop that it is used in.

    :param path: in place of the path of the connection's URL.
    """

    def __init__(
        self,
        connection: Connection,
        bodies: Sequence[bytes],
        *,
        path: str = "",
        rate: float,
        timeout_seconds: float,
    ) -> None:
        url = scoring_address(connection, path)
        origin, target = split_url(url)
        self._connection = connection
        self._timeout = timeout_seconds
        self._pool = Pool(
            origin,
            tls=ssl.create_default_context() if origin.tls else None,
            # As many as wait at most when nothing is answered.
            most=min(_MOST_CONNECTIONS, math.ceil(rate * timeout_seconds) + 8),
            connect_seconds=timeout_seconds,
            stall_seconds=timeout_seconds,
        )
        headers = {"Content-Type": "application/json", **http_authorisation(connection)}
        target, forwarded = self._pool.forwarded(url, target, headers)
        self._requests = [
            (request_head("POST", target, origin, forwarded, len(body), _WHAT), body) for body in bodies
        ]

    async def ask(self, body: int, due: float) -> Answered:
        """Send one body and return what came of it; never raises for what the endpoint does.

        :param due: on the monotonic clock; latency and patience count from then.
        """
        try:
            async with asyncio.timeout(max(due + self._timeout - time.monotonic(), 0)):
                status, content = await self._send(body)
        except TimeoutError:
            return Answered("timeout", time.monotonic() - due)
        except OSError:
            return Answered("no answer", time.monotonic() - due)
        seconds = time.monotonic() - due
        if not 200 <= status < 300:
            return Answered(f"http {status}", seconds)
        return Answered("", seconds, prediction_of(content))

    async def _send(self, body: int) -> tuple[int, bytes]:
        idle = self._pool.idle()
        if idle is not None:
            found = await self._exchange(idle, body)
            if found is not None:
                return found
            # The server had closed it while it was idle, which says nothing of how it serves.
        found = await self._exchange(await self._pool.acquire(), body)
        if found is None:
            raise ConnectionResetError("the line was closed before an answer")
        return found

    async def _exchange(self, connection: Any, body: int) -> tuple[int, bytes] | None:
        head, content = self._requests[body]
        try:
            answer = await connection.exchange("POST", head, content, most_bytes=MOST_ANSWER_BYTES, pace=None)
        except TimeoutError:
            raise
        except OSError:
            if connection.nothing_came:
                return None
            raise
        except BaseException:
            # Its answer may still come: it must not be taken for that to the next request.
            connection.abort()
            raise
        finally:
            self._pool.release(connection)
        return answer.status, bytes(answer.body)

    async def check_credentials(self) -> None:
        """Send the first body once, and raise where the endpoint refuses who we are; else say nothing.

        :raises CredentialError: HTTP 401 or 403.
        """
        answered = await self.ask(0, time.monotonic())
        if answered.status in {"http 401", "http 403"}:
            name = self._connection.conn_id
            raise CredentialError(
                f"asking the scoring endpoint behind connection {name!r}",
                got=answered.status.upper(),
                expected="an answer to a request",
                state="nothing was judged and nothing was changed",
                remedy=f"correct login and password, or the extra field token, of connection {name!r}",
                code="8762",
            )

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()


def scoring_address(connection: Connection, path: str = "") -> str:
    """Return the URL that is asked: the connection's with its path, or /invocations where it has none.

    :raises ConnectionConfigError: the connection leads to no HTTP server.
    """
    url = http_address(connection)
    parts = urlsplit(url)
    if connection.conn_type not in {"http", "https", "mlflow"} or not parts.hostname or parts.username:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for a scoring endpoint",
            got=f"the type {connection.conn_type!r}, and {'a' if parts.hostname else 'no'} host",
            expected="the type http, the endpoint's URL in the field host, credentials in their own fields",
            state="nothing was asked",
            remedy=f"complete the connection {connection.conn_id!r}",
            code="8763",
        )
    if path:
        return f"{parts.scheme}://{parts.netloc}/{path.removeprefix('/')}"
    return url if parts.path.strip("/") else f"{url}/invocations"


def shown(connection: Connection, path: str = "") -> str:
    """Return an endpoint's address without credentials and query."""
    parts = urlsplit(scoring_address(connection, path))
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def prediction_of(content: bytes) -> Prediction:
    """Return an answer's numbers, in their order; or its digest, where it has others than numbers.

    ``{"predictions": …}`` counts as what it holds. The names of fields are part of a digest and, for
    numbers, of their order: fields are sorted.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return hashlib.sha256(content).hexdigest()
    if isinstance(document, dict) and "predictions" in document:
        document = document["predictions"]
    numbers: list[float] = []
    if _collect(document, numbers) and numbers:
        return tuple(numbers)
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _collect(value: Any, into: list[float], depth: int = 0) -> bool:
    """Put all numbers of a document into a list; False where there is anything else, or too much."""
    if isinstance(value, bool) or len(into) > _MOST_NUMBERS or depth > 50:
        return False
    if isinstance(value, int | float):
        try:
            into.append(float(value))
        except OverflowError:
            return False
        return True
    if isinstance(value, list):
        return all(_collect(each, into, depth + 1) for each in value)
    if isinstance(value, dict):
        return all(_collect(value[name], into, depth + 1) for name in sorted(value))
    return False
