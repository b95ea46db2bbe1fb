"""Which way a registry goes, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.errors import UnsupportedError
from heavylift.platforms.postgresql.connect import TYPES
from heavylift.spec.sections_data import RegistryKind, RegistryPath

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.registry.requests import RegistryPlace, RegistryRequest


def choose_path(request: RegistryRequest) -> str:
    """Return why the store level is the way for a request; whether it is open the preflight tells.

    :raises UnsupportedError: it cannot be the way, and this version has no other.
    """
    for place in (request.source, request.target):
        if place.kind is not RegistryKind.MLFLOW:
            raise _unsupported(request, f"a registry of kind {place.kind.value!r}", "MLflow on both sides")
    if request.options.path is RegistryPath.API:
        raise _unsupported(
            request, "path 'api'", "'auto' or 'store': this version does not copy through the interface"
        )
    stores_of(request)
    return (
        "store level: both databases can be reached, so ids, times, deleted things and everything else that"
        " no interface can write arrive as they are"
    )


def stores_of(request: RegistryRequest) -> tuple[Connection, Connection]:
    """Return the connections of both databases.

    :raises UnsupportedError: a side's database is not named, or is no PostgreSQL.
    """
    return _store(request, request.source, "source"), _store(request, request.target, "target")


def _store(request: RegistryRequest, place: RegistryPlace, side: str) -> Connection:
    if place.store is None:
        raise _unsupported(
            request,
            f"no connection to the database behind the {side}'s server {place.connection.conn_id!r}",
            "one for each side: only the store level keeps ids and times",
            remedy=f"name it: 'store_connection' in the spec or in the extra field of connection"
            f" {place.connection.conn_id!r}, or --{side}-store-conn",
        )
    if place.store.conn_type not in TYPES:
        raise _unsupported(
            request,
            f"a {side} store of type {place.store.conn_type!r}",
            "PostgreSQL on both sides",
            remedy="move the store into PostgreSQL first, or name another connection",
        )
    return place.store


def _unsupported(request: RegistryRequest, got: str, expected: str, remedy: str = "") -> UnsupportedError:
    return UnsupportedError(
        f"choosing how registry {request.registry!r} moves",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy=remedy or "move this registry by other means for now",
        code="7104",
    )
