"""Which way a registry goes, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from heavylift.errors import UnsupportedError
from heavylift.platforms.mysql.connect import TYPES as MYSQL_TYPES
from heavylift.platforms.postgresql.connect import TYPES
from heavylift.registry.store.catalog import STAGED
from heavylift.spec.sections_data import RegistryKind, RegistryPath

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.registry.requests import RegistryPlace, RegistryRequest


SQLITE = "sqlite"
"""The type of a connection whose ``host`` is the path of an SQLite file."""


def is_staged(store: Connection) -> bool:
    """Tell whether a source's store is staged in the target's database, being no PostgreSQL."""
    return store.conn_type == SQLITE or store.conn_type in MYSQL_TYPES


@dataclass(frozen=True)
class Choice:
    """The way that was chosen.

    :param reason: why, in a sentence.
    """

    path: Literal["store", "api"]
    reason: str


def choose_path(request: RegistryRequest) -> Choice:
    """Return which way a request goes; whether it is open the preflight tells.

    :raises UnsupportedError: none is.
    """
    for place in (request.source, request.target):
        if place.kind is not RegistryKind.MLFLOW:
            raise _unsupported(request, f"a registry of kind {place.kind.value!r}", "MLflow on both sides")
    if request.options.path is RegistryPath.API:
        return Choice("api", f"through the interface, as asked for: {_KEEPS}")
    if not request.options.selection.is_everything:
        if request.options.path is RegistryPath.STORE:
            raise _moves_whole(request)
        return Choice("api", f"through the interface, as only a part of the source is to move: {_KEEPS}")
    if request.options.path is RegistryPath.AUTO:
        lacking = _lacking(request.source, "source") or _lacking(request.target, "target")
        if lacking:
            return Choice("api", f"through the interface, since there is {lacking}: {_KEEPS}")
    source, _ = stores_of(request)
    staged = (
        "; the source's is staged in the target's database meanwhile"
        if is_staged(source) or source.text(STAGED)
        else ""
    )
    return Choice(
        "store",
        "store level: both databases can be reached, so ids, times, deleted things and everything else that"
        f" no interface can write arrive as they are{staged}",
    )


_KEEPS = (
    "ids of experiments, runs and logged models and the times of their making are given anew there; the"
    " source's stand in tags, and what does not arrive at all is listed"
)


def _lacking(place: RegistryPlace, side: str) -> str:
    if place.store is None:
        return f"no connection to the database behind the {side}'s server {place.connection.conn_id!r}"
    if side == "source" and is_staged(place.store):
        return ""
    if place.store.conn_type not in TYPES:
        return f"a {side} store of type {place.store.conn_type!r}, which is not PostgreSQL"
    return ""


def stores_of(request: RegistryRequest) -> tuple[Connection, Connection]:
    """Return the connections of both databases.

    :raises UnsupportedError: a side's database is not named, or is no PostgreSQL.
    """
    return _store(request, request.source, "source"), _store(request, request.target, "target")


def _store(request: RegistryRequest, place: RegistryPlace, side: str) -> Connection:
    lacking = _lacking(place, side)
    if place.store is None or lacking:
        raise _unsupported(
            request,
            lacking,
            "PostgreSQL as the target, PostgreSQL, MySQL or an SQLite file as the source, and a connection to"
            " each",
            remedy=_remedy(place, side),
        )
    return place.store


def _remedy(place: RegistryPlace, side: str) -> str:
    if side == "target" and place.store is not None and is_staged(place.store):
        its_kind = (
            "; or move the database as a database, where artifacts go through the servers: name both under"
            " databases in the spec"
            if place.store.conn_type in MYSQL_TYPES
            else ""
        )
        return (
            "give the target's server a database of PostgreSQL; or go through the interface of its server:"
            f" heavylift registry … --path api (or auto){its_kind}"
        )
    return (
        "name it: 'store_connection' in the spec or in the extra field of connection"
        f" {place.connection.conn_id!r}, or --{side}-store-conn; without databases there is"
        " heavylift registry … --path api"
    )


def _moves_whole(request: RegistryRequest) -> UnsupportedError:
    return UnsupportedError(
        f"choosing how registry {request.registry!r} moves",
        got="a choice of experiments or models at store level",
        expected="all of them: a store moves whole",
        state="nothing was touched",
        remedy="choose --path api, or leave --experiment and --model out",
        code="9599",
    )


def _unsupported(request: RegistryRequest, got: str, expected: str, remedy: str = "") -> UnsupportedError:
    return UnsupportedError(
        f"choosing how registry {request.registry!r} moves",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy=remedy or "move this registry by other means for now",
        code="7104",
    )
