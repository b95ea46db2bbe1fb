"""PostgreSQL's own ways to copy a table, as commands: ``python -m tests.benchmarks.tables.peers WAY``.

The connections come by the environment, as ours do: no password is in an argument.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from psycopg import sql
from psycopg.conninfo import make_conninfo

from heavylift.connections import Connection, connection_from_env
from heavylift.tables.postgres.connect import connect, conninfo
from heavylift.tables.postgres.programs import find_programs
from tests.benchmarks.tables.sides import SOURCE, TARGET


def native(source: Connection, target: Connection) -> None:
    """Subscribe to the table, which is there, empty and with its key, and wait until it is in step."""
    with connect(source, "bench") as session:
        session.execute("CREATE PUBLICATION bench FOR TABLE public.big")
    given = {name: value for name, value in conninfo(source, "bench").items() if name != "application_name"}
    with connect(target, "bench") as session:
        session.execute(
            sql.SQL("CREATE SUBSCRIPTION bench CONNECTION {} PUBLICATION bench").format(
                sql.Literal(make_conninfo(**given))
            )
        )
        waiting = "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'"
        while session.execute(waiting).fetchone() != (0,):
            time.sleep(0.02)


def catch_up(source: Connection, target: Connection) -> None:
    """Let the subscription go on, and wait until it has applied all that the source has written."""
    with connect(source, "bench") as session:
        row = session.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        position = row[0] if row else ""
        with connect(target, "bench") as other:
            other.execute("ALTER SUBSCRIPTION bench ENABLE")
        waiting = (
            "SELECT confirmed_flush_lsn < %s::pg_lsn FROM pg_replication_slots WHERE slot_name = 'bench'"
        )
        while session.execute(waiting, [position]).fetchone() == (True,):
            time.sleep(0.02)


def dump(source: Connection, target: Connection) -> None:
    """Pipe pg_dump into psql, schema and rows."""
    with connect(source, "bench") as session:
        programs = find_programs(session.info.server_version // 10000)
    reader = subprocess.Popen(
        [str(programs.folder / "pg_dump"), "--no-owner"], stdout=subprocess.PIPE, env=_env(source)
    )
    done = subprocess.run(
        [str(programs.folder / "psql"), "--quiet", "--no-psqlrc", "-v", "ON_ERROR_STOP=1"],
        stdin=reader.stdout,
        stdout=subprocess.DEVNULL,
        env=_env(target),
        check=False,
    )
    if done.returncode or reader.wait():
        sys.exit("pg_dump | psql failed")


def _env(side: Connection) -> dict[str, str]:
    return {
        **os.environ,
        "PGHOST": str(side.host),
        "PGPORT": str(side.port),
        "PGUSER": str(side.login),
        "PGPASSWORD": str(side.password),
        "PGDATABASE": str(side.schema),
    }


if __name__ == "__main__":
    ways = {"native": native, "catch-up": catch_up, "dump": dump}
    ways[sys.argv[1]](connection_from_env(SOURCE), connection_from_env(TARGET))
