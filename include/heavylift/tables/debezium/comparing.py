"""Comparing the source database itself with the target: what is compared is rows, not events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from heavylift.errors import UnsupportedError
from heavylift.spec.sections_data import DatabaseEngine
from heavylift.tables.debezium.preflight import OWN
from heavylift.tables.debezium.sync import stream_run
from heavylift.tables.requests import DatabaseSideRequest
from heavylift.tables.verify.settle import Settling

if TYPE_CHECKING:
    from heavylift.tables.engine import Comparison, Work
    from heavylift.tables.requests import TablesRequest

_QUIET_SECONDS = 2.0
"""A connector that has delivered nothing for so long counts as being in step; a difference says that it was
not."""


def compare_databases(request: TablesRequest, work: Work, *, frozen: bool) -> Comparison:
    """Compare all chosen tables, inside of both databases.

    :param frozen: nobody writes to the source, and the drain is done. Otherwise what differs is looked at
        again, after what has come meanwhile was applied, until it holds or goes away.
    :raises UnsupportedError: the source's rows cannot be read, or not while they are written to.
    """
    database = request.source.database
    if database is None or request.source.engine not in OWN:
        raise _unreachable(request)
    direct = replace(request, source=DatabaseSideRequest(request.source.engine, database))
    if request.source.engine is DatabaseEngine.POSTGRESQL:
        from heavylift.tables.postgres import compare as postgres

        if frozen:
            return postgres.compare_databases(direct, work, frozen=True)
        _catch_up(request, work)
        return postgres.compare_settling(
            direct, work, Settling(wait_until_applied=lambda: _catch_up(request, work))
        )
    if frozen:
        from heavylift.tables.mysql import compare as mysql
        from heavylift.tables.mysql.to_postgres import PostgresProduct

        return mysql.compare_databases(direct, work, PostgresProduct(), frozen=True)
    raise _live(request)


def _catch_up(request: TablesRequest, work: Work) -> None:
    """Apply what the connector delivers, until it has delivered nothing for a while."""
    with stream_run(request, work) as run:
        quiet = 0
        while True:
            before = run.tally.applied
            run.apply()
            work.check(f"comparing database {request.database!r}")
            quiet = quiet + 1 if run.tally.applied == before else 0
            if quiet > 1:
                return
            work.stop.wait(_QUIET_SECONDS)


def _live(request: TablesRequest) -> UnsupportedError:
    return UnsupportedError(
        f"comparing database {request.database!r}",
        got=f"a source ({request.source.engine.value}) that may be written to",
        expected="a source at rest: topics tell no position at which it could be read",
        state="nothing was compared",
        remedy="stop its writers, run heavylift tables drain, then verify with --frozen",
        code="6723",
    )


def _unreachable(request: TablesRequest) -> UnsupportedError:
    return UnsupportedError(
        f"comparing database {request.database!r}",
        got=f"a source ({request.source.engine.value}) whose rows cannot be read here",
        expected="postgresql, mysql or mariadb, with the database's own connection named in the extra of the"
        " broker's (database_conn)",
        state="nothing was compared",
        remedy='add "database_conn" to the extra of the broker\'s connection; for other products compare'
        " counts and sums of both sides by your own means",
        code="6724",
    )
