"""Whether a stream of changes keeps a registry's target: the one question that every copy and sync asks."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from heavylift.aio import in_thread
from heavylift.mirror.requests import stream_id
from heavylift.platforms.postgresql.connect import TYPES, connect
from heavylift.platforms.postgresql.faults import told_as
from heavylift.spec.sections_data import RegistryKind, RegistryPath
from heavylift.tables.postgres.state import StreamPhase, read_stream

if TYPE_CHECKING:
    from heavylift.registry.requests import RegistryRequest

_FLOWING = frozenset({StreamPhase.STREAMING, StreamPhase.INVALID})


async def is_followed(request: RegistryRequest) -> bool:
    """Tell whether a stream keeps a registry's target: what syncs it otherwise takes that for others' work.

    An invalid stream counts: it must be begun anew, not passed by. Changes nothing.
    """
    if {request.source.kind, request.target.kind} != {RegistryKind.MLFLOW}:
        return False
    store = request.target.store
    if request.options.path is RegistryPath.API or store is None or store.conn_type not in TYPES:
        return False

    def look(_stop: object, _relay: object) -> bool:
        with (
            told_as(f"looking whether registry {request.registry!r} is followed", "nothing was touched"),
            closing(connect(store, "registry stream")) as session,
        ):
            state = read_stream(session, stream_id(request))
            return state is not None and state.phase in _FLOWING

    return await in_thread(look, lambda _nothing: None)
