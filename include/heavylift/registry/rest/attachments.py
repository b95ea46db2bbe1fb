"""Files that hang on a trace: no list tells of them, its spans do, each with a reference."""

from __future__ import annotations

import json
import re

from heavylift.errors import NotFoundError, ServerUnavailableError
from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.rest.older import demand_trace
from heavylift.registry.rest.spans import Spans

_REFERENCE = re.compile(r"mlflow-attachment://([0-9a-fA-F-]{36})\?([^\"\\\s]*)")
_ROUTE = "ajax-api/2.0/mlflow/get-trace-artifact"
_MOST_BYTES = 512 * 1024**2


def attachments_in(trace: str, spans: Spans) -> list[str]:
    """Return the ids of a trace's own attachments; its spans may speak of another's, too."""
    text = json.dumps(list(spans.served.values())) + (spans.file or b"").decode(errors="replace")
    own = f"trace_id={trace}"
    return sorted({found for found, query in _REFERENCE.findall(text) if own in query.split("&")})


async def attachment_of(server: TrackingServer, trace: str, attachment: str) -> bytes | None:
    """Return an attachment's bytes; None where the server cannot send it, and shows the trace itself.

    :raises HeavyliftError: the server is away, or refuses.
    """
    try:
        query = {"request_id": trace, "path": attachment}
        return await server.content(_ROUTE, query, most_bytes=_MOST_BYTES)
    except NotFoundError:
        return None
    except ServerUnavailableError:
        await demand_trace(server, trace)
        return None
