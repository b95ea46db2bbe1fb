"""Asks a scoring server over HTTP, as MLflow's ``/invocations``: for endpoints, and for both sides alike."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from heavylift.connections import Connection, http_address, http_authorisation
from heavylift.errors import ConnectionConfigError, IntegrityError, ServerUnavailableError
from heavylift.scoring.answers import columns_of, rows_of
from heavylift.scoring.golden import Golden
from heavylift.scoring.outputs import Outputs, Predicted

BATCH = 500
_MAX_ANSWER = 256 * 2**20


@dataclass
class EndpointSession:
    """One scoring server and the rows that it is asked about.

    :param connection: host (a URL with its path, or to which ``/invocations`` is added), login and password
        or the extra field ``token``.
    :param address: the whole URL, in place of the connection's.
    :param batch: rows of one request.
    """

    name: str
    connection: Connection
    golden: Golden
    seconds: float = 60.0
    check: Callable[[], None] = lambda: None
    address: str = ""
    batch: int = BATCH
    _http: http.client.HTTPConnection | None = None
    _bodies: dict[int, bytes] = field(default_factory=dict)

    def __enter__(self) -> EndpointSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            self._http.close()

    def predict(self) -> Predicted:
        """Answer all golden inputs, some hundreds at a time."""
        began, rows = time.perf_counter(), list[Any]()
        for begin in range(0, self.golden.rows, self.batch):
            self.check()
            numbers = range(begin, min(begin + self.batch, self.golden.rows))
            answered = rows_of(self._post(self._body(numbers)), len(numbers))
            if len(answered) != len(numbers):
                raise self._nonsense("another number of answers than rows")
            rows += answered
        return Predicted(Outputs(columns_of(rows)), time.perf_counter() - began)

    def time(self, rows: Sequence[int]) -> list[float]:
        """Ask about single rows; the durations hold the way there and back."""
        durations = []
        for number in rows:
            if number not in self._bodies:
                self._bodies[number] = self._body([number])
            began = time.perf_counter_ns()
            self._post(self._bodies[number], parse=False)
            durations.append((time.perf_counter_ns() - began) / 1e6)
        return durations

    def peak_bytes(self) -> None:
        """Return None: a server does not tell."""
        return

    def _body(self, numbers: Sequence[int]) -> bytes:
        golden = self.golden
        if list(golden.columns.values()) == ["tensor"]:
            return json.dumps({"inputs": golden.values["tensor"][list(numbers)].tolist()}).encode()
        data = [[_cell(golden, name, number) for name in golden.columns] for number in numbers]
        return json.dumps({"dataframe_split": {"columns": list(golden.columns), "data": data}}).encode()

    def _post(self, body: bytes, *, parse: bool = True) -> Any:
        url = urlsplit(self.address or _url(self.connection))
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {"Content-Type": "application/json", **http_authorisation(self.connection)}
        # A server may close a connection that was idle; one attempt anew is no lost request.
        for attempt in (1, 2):
            http_connection = self._open(url.scheme, url.netloc)
            try:
                http_connection.request("POST", target, body, headers)
                answer = http_connection.getresponse()
                content = answer.read(_MAX_ANSWER)
                break
            except (OSError, http.client.HTTPException) as error:
                http_connection.close()
                self._http = None
                if attempt == 2:
                    raise self._unavailable(type(error).__name__) from error
        if answer.status != 200:
            raise self._unavailable(f"HTTP {answer.status}")
        if not parse:
            return None
        try:
            return json.loads(content)
        except ValueError as error:
            raise self._nonsense("an answer that is no JSON") from error

    def _open(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        if self._http is None:
            kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
            self._http = kind(netloc, timeout=self.seconds)
        return self._http

    def _unavailable(self, got: str) -> ServerUnavailableError:
        return ServerUnavailableError(
            f"asking {self.name}",
            got=got,
            expected="HTTP 200",
            state="nothing was changed; there is no result",
            remedy=f"look at the endpoint behind connection {self.connection.conn_id!r}, then run this again",
            code="7560",
        )

    def _nonsense(self, got: str) -> IntegrityError:
        return IntegrityError(
            f"reading what {self.name} answered",
            got=got,
            expected='{"predictions": […]} with one entry a row',
            state="nothing was changed; there is no result",
            remedy=f"check that connection {self.connection.conn_id!r} leads to a scoring server",
            code="7561",
        )


def _cell(golden: Golden, name: str, number: int) -> Any:
    if name in golden.missing and golden.missing[name][number]:
        return None
    value = golden.values[name][number]
    if golden.columns[name] == "time":
        return str(value)
    if golden.columns[name] == "nested":
        return json.loads(str(value))
    plain = value.item()
    return None if isinstance(plain, float) and plain != plain else plain


def _url(connection: Connection) -> str:
    host = connection.host or ""
    if connection.conn_type not in {"http", "https", "mlflow"} or not host:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for a scoring server",
            got=f"the type {connection.conn_type!r}" + ("" if host else " and no host"),
            expected="the type http, and the server's URL in the field host",
            state="nothing was touched",
            remedy=f"complete the connection {connection.conn_id!r}",
            code="7562",
        )
    address = http_address(connection)
    return address if urlsplit(address).path.strip("/") else f"{address}/invocations"
