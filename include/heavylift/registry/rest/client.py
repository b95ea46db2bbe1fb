"""Asks a tracking server through its public REST interface."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from heavylift.connections import Connection, http_address, http_authorisation
from heavylift.errors import (
    AlreadyExistsError,
    ConnectionConfigError,
    HeavyliftError,
    NotFoundError,
    ServerUnavailableError,
)
from heavylift.platforms.http import HttpClient, HttpSettings, Request
from heavylift.platforms.http_errors import error_for_status
from heavylift.registry.selection import Selected

Query = Mapping[str, str | int | Sequence[str]]
_OVERLOADED = (
    "QueuePool limit",
    "database is locked",
    "could not serialize",
    "deadlock detected",
    # Two requests that bring one dataset at the same moment: the second finds it when it comes again.
    "UniqueViolation",
    "UNIQUE constraint failed",
)
_READINGS = 3
_PARAMETER = re.compile(r"(?:^|parameter )'([A-Za-z_][A-Za-z0-9_.\[\]]{0,60})'")
IS_PROMPT = "mlflow.prompt.is_prompt"
ONLY_PROMPTS = f"tags.`{IS_PROMPT}` = 'true'"
"""Filter of a search that would otherwise leave prompts out."""


class TrackingServer:
    """One tracking server; close it when done.

    :param connection: host (a URL), and login and password or the extra field ``token``.
    :param requests: how many at once.
    :param attempts: how often each is tried.
    :param workspace: of which one things are told; by default the server's default one.

    ``lens`` is what all answers are seen through, where it is set; ``selected`` leaves out of them what does
    not move.
    """

    lens: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    selected: Selected | None = None

    def __init__(
        self, connection: Connection, requests: int, attempts: int = 4, *, workspace: str = ""
    ) -> None:
        self._root = server_url(connection)
        self._headers = {"Accept": "application/json", **http_authorisation(connection)}
        if workspace:
            self._headers["X-MLFLOW-WORKSPACE"] = workspace
        self.name = connection.conn_id
        self._http = HttpClient(
            self._sign, _read_error, settings=HttpSettings(connections=requests, attempts=attempts)
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def get(self, path: str, query: Query | None = None) -> dict[str, Any]:
        """Return the answer to a GET."""
        url = self._url(path, query)
        return await self._ask(Request("GET", url, f"GET {path} on {self.name}", {}))

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a POST that only reads."""
        return await self._ask(self._with_body("POST", path, body))

    async def pages(
        self, path: str, field: str, query: Mapping[str, Any], *, post: bool = False
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield a search's results page by page.

        :param field: which field of an answer holds them.
        """
        asked = dict(query)
        while True:
            answer = await (self.post(path, asked) if post else self.get(path, asked))
            yield list(answer.get(field) or [])
            token = answer.get("next_page_token")
            if not token:
                return
            asked["page_token"] = token

    async def text(self, path: str) -> str:
        """Return the answer to a GET as a line of text; empty where the server has no such page."""
        what = f"GET {path} on {self.name}"
        try:
            answer = await self._http.send(Request("GET", self._url(path, None), what, {}))
        except NotFoundError:
            return ""
        return bytes(answer.body[:100]).decode(errors="replace").strip()

    async def content(self, path: str, query: Query, *, most_bytes: int) -> bytes:
        """Return a file that the server sends, whole.

        :param most_bytes: a longer one is an error.
        """
        request = Request("GET", self._url(path, query), f"GET {path} on {self.name}", {})
        return bytes((await self._http.send(request, most_bytes=most_bytes)).body)

    async def digest(self, path: str, query: Query) -> str:
        """Return the SHA-256 of a file that the server sends."""
        found = hashlib.sha256()

        def begin() -> Callable[[bytes], object]:
            nonlocal found
            found = hashlib.sha256()
            return found.update

        await self.whole(path, query, begin)
        return found.hexdigest()

    async def whole(self, path: str, query: Query, begin: Callable[[], Callable[[bytes], object]]) -> None:
        """Read a file chunk by chunk; one that is cut off on its way is read again.

        :param begin: is called at the file's beginning, each time; returns what takes the chunks.
        """
        for left in reversed(range(_READINGS)):
            take, begun = begin(), False
            try:
                async for chunk in self.chunks(path, query):
                    begun = True
                    take(chunk)
                return
            except ServerUnavailableError:
                # What cannot be opened has been tried again already.
                if not begun or not left:
                    raise

    async def chunks(self, path: str, query: Query) -> AsyncIterator[bytes]:
        """Yield a file that the server sends, chunk by chunk."""
        what = f"GET {path} on {self.name}"
        async with self._http.stream(Request("GET", self._url(path, query), what, {})) as answer:
            async for chunk in self._http.body_chunks(answer, what):
                yield chunk

    def _with_body(
        self, method: str, path: str, body: Mapping[str, Any], more: Mapping[str, str] | None = None
    ) -> Request:
        headers = {"Content-Type": "application/json", **(more or {})}
        what = f"{method} {path} on {self.name}"
        return Request(method, self._url(path, None), what, headers, json.dumps(body).encode())

    async def _sign(self, request: Request) -> Mapping[str, str]:
        return {**self._headers, **request.headers}

    def _url(self, path: str, query: Query | None) -> str:
        asked = f"?{urlencode(query, doseq=True, quote_via=quote)}" if query else ""
        return f"{self._root}/{path}{asked}"

    async def _ask(self, request: Request) -> dict[str, Any]:
        response = await self._http.send(request)
        try:
            found = json.loads(bytes(response.body) or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ServerUnavailableError(
                request.what,
                got="an answer that is no JSON object",
                expected="MLflow's REST interface",
                state="nothing was concluded",
                remedy=f"check that connection {self.name!r} leads to a tracking server, and not"
                " to a proxy's page",
                code="7140",
            )
        found = found if self.selected is None else self.selected(found)
        return found if self.lens is None else self.lens(found)


def server_url(connection: Connection) -> str:
    """Return a tracking server's address, without a slash at its end.

    :raises ConnectionConfigError: the connection is of another kind or has no host.
    """
    host = connection.host or ""
    if connection.conn_type not in {"mlflow", "http", "https"} or not host:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for MLflow",
            got=f"the type {connection.conn_type!r}" + ("" if host else " and no host"),
            expected="the type mlflow (or http), and the server's URL in the field host",
            state="nothing was touched",
            remedy=f"complete the connection {connection.conn_id!r}",
            code="7141",
        )
    return http_address(connection)


def _read_error(
    request: Request, status: int, _headers: Mapping[str, str], body: bytes
) -> HeavyliftError | None:
    try:
        parts = json.loads(body)
        code, message = str(parts.get("error_code", "")), str(parts.get("message", ""))
    except (ValueError, AttributeError):
        return _no_route(request) if status == 404 else None
    if any(text in message for text in _OVERLOADED):
        # The server says so with the status of a wrong request.
        return ServerUnavailableError(
            request.what,
            got=f"HTTP {status} {code}: its connections to the database are used up",
            expected="an answer",
            state="nothing was concluded",
            remedy="lower the number of requests at once, or raise MLFLOW_SQLALCHEMYSTORE_POOL_SIZE there",
            code="7142",
        )
    if code == "RESOURCE_ALREADY_EXISTS":
        return AlreadyExistsError(
            request.what,
            got=f"HTTP {status} {code}",
            expected="a free name",
            state="what has the name was not touched",
            remedy="rename or remove it, or choose another name",
            code="7143",
        )
    return error_for_status(request.what, status, code + _parameter_in(message))


def _no_route(request: Request) -> HeavyliftError:
    """Return the error for what is not MLflow's own answer: it tells of a thing that is not there in JSON."""
    return NotFoundError(
        request.what,
        got="HTTP 404, and not in MLflow's words",
        expected="a route of a tracking server",
        state="nothing was concluded",
        remedy="check that the connection's host is the address of a tracking server, with the path that a"
        " proxy may want and without /api; an older server may lack the route",
        code="9561",
    )


def _parameter_in(message: str) -> str:
    """Return of which parameter a message speaks; never what its value was."""
    found = _PARAMETER.search(message)
    return f" (parameter {found[1]})" if found else ""
