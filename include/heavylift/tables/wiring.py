"""Which engine moves a database: the one place that knows them all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from heavylift.errors import UnsupportedError
from heavylift.spec.sections_data import CaptureMethod, DatabaseEngine
from heavylift.tables.requests import Direction

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.engine import TableEngine
    from heavylift.tables.postgres.lag import Lag
    from heavylift.tables.requests import TablesRequest

_POSTGRESQL = DatabaseEngine.POSTGRESQL
_LAGS = {"mysql": "mysql", "mariadb": "mysql", "kafka": "debezium"}
"""Types of the source's connection → the package that tells the lag, where it is not PostgreSQL's."""
_DEBEZIUM = ("heavylift.tables.debezium.moving", "DebeziumEngine")
_MYSQL = (DatabaseEngine.MYSQL, DatabaseEngine.MARIADB)
_BINLOG = ("heavylift.tables.mysql.moving", "BinlogEngine")
_TWIN = ("heavylift.tables.mysql.moving", "TwinEngine")
_ENGINES: Mapping[tuple[DatabaseEngine, DatabaseEngine, CaptureMethod], tuple[str, str]] = {
    (_POSTGRESQL, _POSTGRESQL, CaptureMethod.AUTO): ("heavylift.tables.postgres.moving", "ChangesEngine"),
    (_POSTGRESQL, _POSTGRESQL, CaptureMethod.CHANGES): ("heavylift.tables.postgres.moving", "ChangesEngine"),
    (_POSTGRESQL, _POSTGRESQL, CaptureMethod.NATIVE): ("heavylift.tables.postgres.native", "NativeEngine"),
    **{
        (source, target, method): _BINLOG if target is _POSTGRESQL else _TWIN
        for source in _MYSQL
        for target in (_POSTGRESQL, *_MYSQL)
        for method in (CaptureMethod.AUTO, CaptureMethod.CHANGES)
    },
    **{(product, _POSTGRESQL, CaptureMethod.DEBEZIUM): _DEBEZIUM for product in DatabaseEngine},
}
"""Products of source and target and the method → the module and class that moves between them."""
_BACK = {(_POSTGRESQL, product): ("heavylift.tables.mysql.back.moving", "BackEngine") for product in _MYSQL}
"""The same of pairs between which there is only a way back."""


def engine_for(request: TablesRequest) -> TableEngine:
    """Return the engine for a request; its module is imported here, when it is needed.

    :raises UnsupportedError: this version has none.
    """
    pair = (request.source.engine, request.target.engine)
    # The way back is always read by us, whoever carried the way forth; none leads into topics.
    back, method = request.direction is Direction.REVERSE, request.options.method
    home = _ENGINES.get((*pair, CaptureMethod.CHANGES if back else method))
    if back and home is None:
        home = _BACK.get(pair)
    if back and method is CaptureMethod.DEBEZIUM:
        home = None
    if home is None or find_spec(home[0]) is None:
        raise _unsupported(request)
    return cast("TableEngine", getattr(import_module(home[0]), home[1])())


def lag_reader(source: Connection) -> Callable[[Connection, Connection, str], Awaitable[Lag]]:
    """Return what tells how far a stream is behind, for a source's connection."""
    product = _LAGS.get(source.conn_type, "postgres")
    found = import_module(f"heavylift.tables.{product}.lag").read_lag
    return cast("Callable[[Connection, Connection, str], Awaitable[Lag]]", found)


def _unsupported(request: TablesRequest) -> UnsupportedError:
    return UnsupportedError(
        f"moving database {request.database!r}",
        got=f"{request.source.engine.value} to {request.target.engine.value}"
        f" by method {request.options.method.value!r}",
        expected="postgresql, mysql or mariadb to postgresql, or mysql or mariadb to their own kind, by"
        " method 'auto' or 'changes'; 'native' is for two PostgreSQL servers; other products to postgresql by"
        " 'debezium'",
        state="nothing was touched",
        remedy="move this database by other means for now, or change 'method' in the spec",
        code="6300",
    )
