"""Reads the spans of traces from wherever a server keeps them: its database, an archive, or a file.

Servers before 3.6, and clients that log so to this day, keep them as a file beside the trace. Asked for such
a trace among others, a server of 3.17 answers nothing at all, so these are asked for one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heavylift.errors import HeavyliftError, NotFoundError, ServerUnavailableError
from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.rest.older import demand_trace

_TRACES = "api/3.0/mlflow/traces"
_FILE = "ajax-api/2.0/mlflow/get-trace-artifact"
_AT_ONCE = 50
_SERVED = frozenset({"TRACKING_STORE", "ARCHIVE_REPO"})
_MOST_BYTES = 512 * 1024**2
LOCATION = "mlflow.trace.spansLocation"
SERVERS_OWN = frozenset(
    {LOCATION, "mlflow.artifactLocation", "mlflow.trace.archiveLocation", "mlflow.trace.archivalFailure"}
)
"""Tags in which a server notes where it keeps what belongs to a trace."""


@dataclass(frozen=True)
class Spans:
    """The spans of one trace.

    :param served: as the server's interface spells them, by id.
    :param file: the file that holds them, where they are kept in one.
    :param unread: why they could not be read; the code of an error.
    """

    served: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    file: bytes | None = None
    unread: str = ""

    def __bool__(self) -> bool:
        return bool(self.served) or self.file is not None


async def spans_of(server: TrackingServer, infos: Iterable[Mapping[str, Any]]) -> dict[str, Spans]:
    """Return the spans of some traces, by trace.

    A trace whose spans the server cannot send is told as such; a server that answers nothing is an error.
    """
    kept = {str(info["trace_id"]): (info.get("tags") or {}).get(LOCATION, "") for info in infos}
    served = [trace for trace, place in kept.items() if place in _SERVED]
    found: dict[str, Spans] = {}
    for start in range(0, len(served), _AT_ONCE):
        found |= await _served(server, served[start : start + _AT_ONCE])
    # What is not finished is left out of an answer for several, and told in one for it alone.
    rest = [(trace, _partial if kept[trace] in _SERVED else _in_file) for trace in kept.keys() - found.keys()]
    for start in range(0, len(rest), _AT_ONCE):
        part = rest[start : start + _AT_ONCE]
        read = await asyncio.gather(*(reading(server, trace) for trace, reading in part))
        found |= {trace: each for (trace, _), each in zip(part, read, strict=True)}
    return found


async def _served(server: TrackingServer, traces: Sequence[str]) -> dict[str, Spans]:
    try:
        answer = await server.get(f"{_TRACES}/batchGet", {"trace_ids": list(traces)})
    except ServerUnavailableError as error:
        if len(traces) == 1:
            return {traces[0]: await _unread(server, traces[0], error)}
        half = len(traces) // 2
        return await _served(server, traces[:half]) | await _served(server, traces[half:])
    return {str(each["trace_info"]["trace_id"]): _spans(each) for each in answer.get("traces") or []}


async def _partial(server: TrackingServer, trace: str) -> Spans:
    try:
        answer = await server.get(f"{_TRACES}/get", {"trace_id": trace, "allow_partial": "true"})
    except NotFoundError:
        return Spans()
    except ServerUnavailableError as error:
        return await _unread(server, trace, error)
    return _spans(answer.get("trace") or {})


async def _in_file(server: TrackingServer, trace: str) -> Spans:
    try:
        return Spans(file=await server.content(_FILE, {"request_id": trace}, most_bytes=_MOST_BYTES))
    except NotFoundError:
        return Spans()
    except ServerUnavailableError as error:
        return await _unread(server, trace, error)


def _spans(trace: Mapping[str, Any]) -> Spans:
    return Spans({str(span["span_id"]): span for span in trace.get("spans") or []})


async def _unread(server: TrackingServer, trace: str, error: HeavyliftError) -> Spans:
    """Return that a trace's spans cannot be read, if it is the trace: a server that is away fails here."""
    await demand_trace(server, trace)
    return Spans(unread=f"HL-{error.code}")
