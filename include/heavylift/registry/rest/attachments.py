"""Files that hang on a trace: no list tells of them, its spans do, each with a reference."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable
from typing import TypeVar

from heavylift.errors import NotFoundError, ServerUnavailableError
from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.rest.older import demand_trace
from heavylift.registry.rest.spans import Spans

T = TypeVar("T")
_REFERENCE = re.compile(r"mlflow-attachment://([0-9a-fA-F-]{36})\?([^\"\\\s]*)")
_ROUTE = "ajax-api/2.0/mlflow/get-trace-artifact"


def attachments_in(trace: str, spans: Spans) -> list[str]:
    """Return the ids of a trace's own attachments; its spans may speak of another's, too."""
    text = json.dumps(list(spans.served.values())) + (spans.file or b"").decode(errors="replace")
    own = f"trace_id={trace}"
    return sorted({found for found, query in _REFERENCE.findall(text) if own in query.split("&")})


def attachment_route(trace: str, attachment: str) -> tuple[str, dict[str, str]]:
    """Return path and query of the request for an attachment."""
    return _ROUTE, {"request_id": trace, "path": attachment}


async def attachment_digest(server: TrackingServer, trace: str, attachment: str) -> str | None:
    """Return the digest of an attachment's bytes; None where the server does not send it.

    :raises HeavyliftError: the server is away, or refuses.
    """
    return await sent_or_none(server, trace, server.digest(*attachment_route(trace, attachment)))


async def sent_or_none(server: TrackingServer, trace: str, reading: Awaitable[T]) -> T | None:
    """Return what was read of a trace; None where the server cannot send it, and shows the trace itself.

    :raises HeavyliftError: the server is away, or refuses.
    """
    try:
        return await reading
    except NotFoundError:
        return None
    except ServerUnavailableError:
        await demand_trace(server, trace)
        return None
