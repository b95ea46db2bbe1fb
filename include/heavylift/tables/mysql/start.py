"""The first steps of a stream, and forgetting it: a row that names it, after a preflight without blockers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.records import Finding
from heavylift.tables.mysql.chosen import database_of
from heavylift.tables.mysql.connect import is_mariadb, one
from heavylift.tables.postgres.snapshot_begin import demand_passed
from heavylift.tables.postgres.state import StreamPhase, StreamState, no_stream

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.mysql.target import Product, Target
    from heavylift.tables.requests import TablesRequest

ENGINE = "binlog"


def system_of(source: MySession) -> str:
    """Return what tells the server from others: MySQL's own id, or MariaDB's number in the replication."""
    if is_mariadb(source):
        return f"mariadb server_id {one(source, 'SELECT @@server_id')}"
    return f"mysql {one(source, 'SELECT @@server_uuid')}"


def stream_of(target: Target, request: TablesRequest) -> StreamState:
    """Return the request's stream as the target knows it.

    :raises NotFoundError: it was never begun.
    """
    state = target.stream(request.stream)
    if state is None:
        raise no_stream(request.stream)
    return state


def ensure_stream(
    request: TablesRequest, product: Product, *, source: MySession, target: Target
) -> tuple[Finding, ...]:
    """Note the stream on the target where it is not, after a preflight without blockers.

    :return: the preflight's findings; none for a stream that is known.
    :raises ConflictError: the preflight has blockers.
    """
    known = target.stream(request.stream)
    if known is not None:
        target.begin(known)
        return ()
    record = product.preflight(request, source, target)
    demand_passed(record)
    target.begin(
        StreamState(
            id=request.stream,
            engine=ENGINE,
            source_system=system_of(source),
            source_timeline=0,
            source_database=database_of(request) or "*",
            slot="",
            publication="",
            phase=StreamPhase.COPYING,
        )
    )
    return record.findings


def forget(request: TablesRequest, target: Target) -> None:
    """Drop the tables that the stream has filled, and all that is noted of it.

    :raises ConflictError: a run is at work on the stream.
    """
    if target.stream(request.stream) is None:
        return
    with target.leased(request.stream) as lease:
        target.forget(lease)
