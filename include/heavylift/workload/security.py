"""Probes: what must be refused is tried for real, beside a control that shows that it could have worked."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlsplit

from heavylift.connections import Connection
from heavylift.cutover.canary.endpoint import Scoring, scoring_address
from heavylift.errors import CredentialError, HeavyliftError
from heavylift.evidence.workload_records import TriedCase
from heavylift.locations import parse_location
from heavylift.platforms.bodies import Bodies
from heavylift.platforms.wiring import open_store
from heavylift.spec.sections_workload import ProbeKind, SecurityProbe
from heavylift.workload.requests import WorkloadRequest

_REFUSED = ("http 401", "http 403")
_NO_CONTROL = "the right credentials get no good answer either ({}), so that a refusal shows nothing"
_ONLY_TLS = ("http 301", "http 302", "http 307", "http 308", "http 400", "http 403", "http 426", "no answer")
"""How a server that demands TLS may answer to one that speaks none."""


async def run_security(request: WorkloadRequest) -> list[TriedCase]:
    """Try each probe of the spec. One that can't be tried is *not run*, and never passed."""
    bodies = await request.bodies()
    return [await _probe(request, probe, bodies) for probe in request.section.security]


async def _probe(request: WorkloadRequest, probe: SecurityProbe, bodies: Bodies) -> TriedCase:
    began = time.monotonic()
    verdict, expected, got = await _KINDS[probe.kind](request, probe, bodies)
    return TriedCase(
        name=probe.name,
        verdict=verdict,
        expected=expected,
        got=got,
        seconds=round(time.monotonic() - began, 3),
    )


async def _unauthenticated(request: WorkloadRequest, _probe: SecurityProbe, bodies: Bodies) -> _Found:
    nobody = replace(request.target, login=None, password=None, extra=_without_token(request.target))
    return await _refused(request, nobody, bodies, "a request without credentials")


async def _wrong_credential(request: WorkloadRequest, _probe: SecurityProbe, bodies: Bodies) -> _Found:
    extra = _without_token(request.target)
    if request.target.text("token"):
        wrong = replace(request.target, extra={**extra, "token": secrets.token_urlsafe(24)})
    else:
        wrong = replace(
            request.target, login=request.target.login or "nobody", password=secrets.token_urlsafe(24)
        )
    return await _refused(request, wrong, bodies, "a request with a wrong credential")


async def _refused(request: WorkloadRequest, other: Connection, bodies: Bodies, what: str) -> _Found:
    expected = f"{what} refused, by HTTP 401 or 403"
    control = await _status(request, request.target, bodies)
    if control:
        return "not run", expected, _NO_CONTROL.format(control)
    status = await _status(request, other, bodies)
    if status in ("timeout", "no answer"):
        return "not run", expected, status
    return ("passed" if status in _REFUSED else "failed"), expected, status or "a good answer"


async def _plain_http(request: WorkloadRequest, probe: SecurityProbe, bodies: Bodies) -> _Found:
    expected = "no answer to a request without TLS"
    control = await _status(request, request.target, bodies)
    if control:
        return "not run", expected, _NO_CONTROL.format(control)
    parts = urlsplit(scoring_address(request.target, request.section.path))
    address = probe.address or f"http://{parts.netloc}{parts.path}"
    if parts.scheme != "https" and not probe.address:
        return "failed", expected, "an endpoint whose own address has no TLS"
    plain = replace(request.target, conn_type="http", host=address, port=None, schema=None)
    status = await _status(request, plain, bodies, path="")
    return ("passed" if status in _ONLY_TLS else "failed"), expected, status or "a good answer"


async def _foreign_object(request: WorkloadRequest, probe: SecurityProbe, _bodies: Bodies) -> _Found:
    expected = f"{probe.object} refused to connection {probe.connection}"
    control = await _read(request, probe, str(probe.owner_connection))
    if control is not None:
        return "not run", expected, _NO_CONTROL.format(_said(control))
    error = await _read(request, probe, str(probe.connection))
    if error is None:
        return "failed", expected, "the object"
    refused = isinstance(error, CredentialError)
    return ("passed" if refused else "not run"), expected, _said(error)


async def _read(request: WorkloadRequest, probe: SecurityProbe, conn_id: str) -> HeavyliftError | None:
    """Read the object; return what came instead, None where it came."""
    location = parse_location(str(probe.object))
    key = location.prefix.removesuffix("/")
    try:
        async with open_store(location, request.connections(conn_id)) as store:
            await store.fetch(key, length=1)
    except HeavyliftError as error:
        return error
    return None


async def _status(
    request: WorkloadRequest, connection: Connection, bodies: Bodies, path: str | None = None
) -> str:
    """Return what one request comes to: empty where its answer is good."""
    endpoint = Scoring(
        connection,
        bodies.bodies[:1],
        path=request.section.path if path is None else path,
        rate=1.0,
        timeout_seconds=request.section.timeout,
    )
    try:
        async with asyncio.timeout(request.section.timeout + 1):
            return (await endpoint.ask(0, time.monotonic())).status
    except TimeoutError:
        return "timeout"
    finally:
        await endpoint.close()


def _said(error: HeavyliftError) -> str:
    return error.got or type(error).__name__


def _without_token(connection: Connection) -> dict[str, object]:
    return {name: value for name, value in connection.extra.items() if name != "token"}


_Found = tuple[str, str, str]
_KINDS: dict[ProbeKind, Callable[[WorkloadRequest, SecurityProbe, Bodies], Awaitable[_Found]]] = {
    ProbeKind.UNAUTHENTICATED: _unauthenticated,
    ProbeKind.WRONG_CREDENTIAL: _wrong_credential,
    ProbeKind.PLAIN_HTTP: _plain_http,
    ProbeKind.FOREIGN_OBJECT: _foreign_object,
}
