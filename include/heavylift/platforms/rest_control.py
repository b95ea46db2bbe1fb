"""A control plane that speaks JSON over HTTP: read calls, limited in rate, safe in threads.

An operation is written as its request line, ``GET /apis/apps/v1/deployments``. Places in braces are filled
from the arguments (``{+name}`` keeps its slashes); what is left of the arguments becomes the query.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from heavylift.errors import PermanentError, UnsupportedError
from heavylift.platforms.control import Answer, Limits, stopped
from heavylift.platforms.http import HttpClient, HttpSettings, Request
from heavylift.platforms.request_rate import RequestRate
from heavylift.platforms.rest_faults import Reading, not_json

Headers = Mapping[str, str]
_PLACE = re.compile(r"\{(\+?)([A-Za-z_]+)\}")
_READS = ("GET ", "POST ")
_POSTS = (":getIamPolicy", ":search")
ATTEMPTS = 5


@dataclass(frozen=True)
class Paging:
    """How listings go on.

    :param parameter: of the query, that asks for the next page; empty where an answer names its URL.
    :param field: of the answer: names one below another, separated by dots.
    """

    parameter: str
    field: str

    def next_of(self, answer: Answer) -> str:
        """Return the token, or URL, of the page after ``answer``; empty after the last one."""
        value: Any = answer
        for name in self.field.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return str(value or "")


class RestPlane:
    """Sends the requests of one platform; its connections live in a thread of their own.

    :param address: (service, region) → URL before the path, no slash at its end.
    :param authorisation: makes the headers that say who we are.
    :param reading: how this platform refuses.
    :param fixed: places that hold for all operations, such as the project.
    """

    def __init__(
        self,
        address: Callable[[str, str], str],
        authorisation: Callable[[], Awaitable[Headers]],
        paging: Paging,
        reading: Reading,
        *,
        fixed: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        attempts: int = ATTEMPTS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._address, self._authorisation = address, authorisation
        self.paging, self._reading = paging, reading
        self.fixed = dict(fixed or {})
        limits = limits or Limits()
        self._rate = RequestRate(limits.most_requests_per_second)
        self._stop = limits.stop
        self._requests = 0
        settings = HttpSettings(connections=limits.parallel, attempts=attempts)
        self._http = HttpClient(self._sign, reading.read, settings=settings, tls=tls)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="inventory-http", daemon=True)
        self._thread.start()

    @property
    def requests(self) -> int:
        """Requests sent up to now, with those that were repeated."""
        return self._requests

    def close(self) -> None:
        """Close all connections."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._http.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(
        self, service: str, operation: str, region: str, arguments: Answer, headers: Headers | None = None
    ) -> dict[str, Any]:
        """Return the answer of one call."""
        method, url = self._line(service, operation, region, arguments)
        return self._sent(method, url, operation, headers)

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, headers: Headers | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield all pages of a listing."""
        method, first = self._line(service, operation, region, arguments)
        url = first
        while True:
            answer = self._sent(method, url, operation, headers)
            yield answer
            token = self.paging.next_of(answer)
            if not token:
                return
            following = self._following(first, token, operation)
            if following == url:
                return
            url = following

    def _following(self, first: str, token: str, operation: str) -> str:
        if self.paging.parameter:
            return f"{first}{'&' if '?' in first else '?'}{urlencode({self.paging.parameter: token})}"
        if urlsplit(token)[:2] != urlsplit(first)[:2]:
            raise PermanentError(
                operation,
                got=f"a next page at {urlsplit(token).netloc or 'no host'}",
                expected=f"one at {urlsplit(first).netloc}, where the credentials may go",
                state="nothing was sent there",
                remedy="check what stands between here and the platform's API",
                code="7655",
            )
        return token

    def _line(self, service: str, operation: str, region: str, arguments: Answer) -> tuple[str, str]:
        if not operation.startswith(_READS) or (
            operation.startswith("POST ") and not operation.endswith(_POSTS)
        ):
            raise UnsupportedError(
                f"{service} {operation}",
                got="an operation that may change something",
                expected=f"GET, or POST of {', '.join(_POSTS)}",
                state="nothing was touched",
                remedy="report it as a defect of Heavylift",
                code="7656",
            )
        method, _, path = operation.partition(" ")
        left = dict(arguments)

        def fill(found: re.Match[str]) -> str:
            name = found[2]
            value = left.pop(name, None) or self.fixed.get(name) or (region if name == "region" else "")
            return quote(str(value), safe="/:@" if found[1] else ":@")

        path, _, query = _PLACE.sub(fill, path).partition("?")
        asked = "&".join(part for part in (query, urlencode(left, doseq=True, quote_via=quote)) if part)
        address = self._address(service, region)
        return method, f"{address}/{path.lstrip('/')}" + (f"?{asked}" if asked else "")

    def _sent(self, method: str, url: str, operation: str, headers: Headers | None) -> dict[str, Any]:
        more = {"Accept": "application/json", **(headers or {})}
        if method == "POST":
            more["Content-Type"] = "application/json"
        request = Request(method, url, operation, more, b"{}" if method == "POST" else b"")
        response = asyncio.run_coroutine_threadsafe(self._http.send(request), self._loop).result()
        try:
            answer = json.loads(bytes(response.body) or b"{}")
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise not_json(operation)
        return answer

    async def _sign(self, request: Request) -> Headers:
        self._requests += 1
        seconds = self._rate.delay()
        if seconds and not self._stop.is_set():
            await asyncio.sleep(seconds)
        if self._stop.is_set():
            raise stopped()
        return {**request.headers, **await self._authorisation()}


class OverRest:
    """What control planes over REST share; each says in its own way who is asked, and where."""

    def __init__(self, rest: RestPlane) -> None:
        self._rest = rest

    @property
    def requests(self) -> int:
        """Requests sent up to now, with those that were repeated."""
        return self._rest.requests

    def offers(self, service: str, region: str) -> bool:
        """Tell that everything may be there; what is not says so itself."""
        return bool(service or region)

    def close(self) -> None:
        """Close all connections."""
        self._rest.close()

    def call(self, service: str, operation: str, region: str, arguments: Answer) -> Answer:
        """Return the answer of one call."""
        return self._rest.call(service, operation, region, arguments)

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, last_token: str = ""
    ) -> Iterator[Answer]:
        """Yield all pages of a listing."""
        del last_token
        yield from self._rest.pages(service, operation, region, arguments)
