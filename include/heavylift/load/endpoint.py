"""One live HTTP endpoint: sends a request once, over its own connections, and tells the answer's status.

It stands on the pool beneath :mod:`heavylift.platforms.http`, not on that client: the client repeats what
fails, waits between and turns statuses into errors, all of which would hide what is to be measured.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from heavylift.connections import Connection, http_address, http_authorisation
from heavylift.errors import (
    ConnectionConfigError,
    CredentialError,
    HeavyliftError,
    PermanentError,
    ServerUnavailableError,
)
from heavylift.load.driving import NoAnswerError
from heavylift.platforms.http_connection import Connection as PoolConnection
from heavylift.platforms.http_message import request_head, split_url
from heavylift.platforms.http_pool import Pool

MOST_ANSWER_BYTES = 64 * 2**20
_WHAT = "a measured request"


class Endpoint:
    """An endpoint and the bodies that it is asked with. Made within the event loop that it is used in.

    :param path: in place of the path of the connection's URL.
    :param headers: further ones; never shown.
    """

    def __init__(
        self,
        connection: Connection,
        bodies: Sequence[bytes],
        *,
        path: str = "",
        headers: Mapping[str, str] | None = None,
        connections: int,
        timeout_seconds: float,
    ) -> None:
        url = address(connection, path)
        origin, target = split_url(url)
        sent = {"Content-Type": "application/json", **(headers or {}), **http_authorisation(connection)}
        tls = ssl.create_default_context() if origin.tls else None
        self._pool = Pool(
            origin,
            tls=tls,
            most=connections,
            connect_seconds=timeout_seconds,
            stall_seconds=timeout_seconds,
        )
        target, forwarded = self._pool.forwarded(url, target, sent)
        self._requests = [
            (request_head("POST", target, origin, forwarded, len(body), _WHAT), body) for body in bodies
        ]
        self._connection = connection
        self.reconnected = 0

    async def send(self, body: int) -> int:
        """Send one body and return the answer's status.

        That a server had closed a connection while it was idle says nothing of how it serves: the request is
        sent anew, once, over a new one, and ``reconnected`` counts it.

        :raises NoAnswerError: no whole answer came.
        :raises TimeoutError: none came in time.
        """
        idle = self._pool.idle()
        try:
            if idle is not None:
                status = await self._exchange(idle, body)
                if status is not None:
                    return status
                self.reconnected += 1
            status = await self._exchange(await self._pool.acquire(), body)
        except TimeoutError:
            raise
        except OSError as error:
            raise NoAnswerError(
                "broken answer" if isinstance(error, _BrokenAnswerError) else "no answer"
            ) from error
        if status is None:
            raise NoAnswerError("no answer")
        return status

    async def _exchange(self, connection: PoolConnection, body: int) -> int | None:
        """Return the status of the answer; None where the line was closed before its first byte."""
        head, content = self._requests[body]
        try:
            answer = await connection.exchange("POST", head, content, most_bytes=MOST_ANSWER_BYTES, pace=None)
        except TimeoutError:
            raise
        except OSError as error:
            if connection.nothing_came:
                return None
            raise _BrokenAnswerError(str(error)) from error
        except BaseException:
            # Its answer may still come: it must not be taken for that to the next request.
            connection.abort()
            raise
        finally:
            self._pool.release(connection)
        return answer.status

    async def probe(self, seconds: float) -> None:
        """Send the first body and demand a good answer, before anything is measured.

        :raises CredentialError: the endpoint refuses the connection's credentials.
        :raises PermanentError: it answers anything else but success.
        :raises ServerUnavailableError: it does not answer.
        """
        try:
            async with asyncio.timeout(seconds):
                status = await self.send(0)
        except TimeoutError:
            raise self._unavailable(f"no answer within {seconds:g} s") from None
        except NoAnswerError as error:
            raise self._unavailable(str(error)) from error
        if not 200 <= status < 300:
            raise self._refused(status)

    async def answers(self, seconds: float) -> bool:
        """Tell whether the endpoint answers at all, whatever it says."""
        try:
            async with asyncio.timeout(seconds):
                await self.send(0)
        except (TimeoutError, NoAnswerError):
            return False
        return True

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    def _unavailable(self, got: str) -> ServerUnavailableError:
        return ServerUnavailableError(
            f"asking the endpoint behind connection {self._connection.conn_id!r}",
            got=got,
            expected="an answer to the first request",
            state="nothing was measured and nothing was changed",
            remedy="check the connection's host and that the endpoint is up, then run this again",
            code="7674",
        )

    def _refused(self, status: int) -> HeavyliftError:
        name = self._connection.conn_id
        what = f"asking the endpoint behind connection {name!r}"
        if status in {401, 403}:
            return CredentialError(
                what,
                got=f"HTTP {status}",
                expected="HTTP 2xx to the first request",
                state="nothing was measured and nothing was changed",
                remedy=f"correct login and password, or the extra field token, of connection {name!r}",
                code="7675",
            )
        return PermanentError(
            what,
            got=f"HTTP {status}",
            expected="HTTP 2xx to the first request",
            state="nothing was measured and nothing was changed",
            remedy="check the path (the connection's, or --path) and that it takes what --requests holds",
            code="7676",
        )


def address(connection: Connection, path: str = "") -> str:
    """Return the URL that is asked: the connection's, its path replaced where one is given.

    :raises ConnectionConfigError: the connection leads to no HTTP server.
    """
    url = http_address(connection)
    parts = urlsplit(url)
    if (
        connection.conn_type not in {"http", "https"}
        or not parts.hostname
        or parts.username
        or parts.password
    ):
        wrong = "credentials within the host" if parts.username or parts.password else "no host"
        kind = connection.conn_type in {"http", "https"}
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for a measurement",
            got=wrong if kind else f"the type {connection.conn_type!r}",
            expected="the type http, the endpoint's URL in the field host, credentials in their own fields",
            state="nothing was touched",
            remedy=f"complete the connection {connection.conn_id!r}",
            code="7677",
        )
    if not path:
        return url
    return f"{parts.scheme}://{parts.netloc}/{path.removeprefix('/')}"


class _BrokenAnswerError(OSError):
    """An answer began and did not come to its end, or was no HTTP."""
