"""A stream of changes that begins by hand, so that the apply can be tested without the snapshot."""

from __future__ import annotations

from contextlib import closing

from heavylift.tables.model import TableName
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.postgres.slot import ensure_publication
from heavylift.tables.postgres.state import (
    StreamPhase,
    StreamState,
    TablePhase,
    TableState,
    ensure_state,
    write_stream,
    write_table,
)
from heavylift.tables.requests import TablesRequest
from tests.support.two_databases import TwoDatabases


def begin_stream_by_hand(databases: TwoDatabases, ddl: str, request: TablesRequest) -> list[TableName]:
    """Make the same tables on both sides, copy what is in them, and note a stream from here on."""
    databases.on_source(ddl)
    databases.on_target(ddl)
    name = f"hand_{databases.source.schema}"
    with (
        closing(connect(databases.source, "test")) as source,
        closing(connect(databases.target, "test")) as target,
    ):
        tables = read_catalog(source, request.options.tables, request.options.exclude)
        ensure_publication(source, name, tables)
        row = source.execute(
            "SELECT lsn::text FROM pg_create_logical_replication_slot(%s, 'pgoutput')", [name]
        ).fetchone()
        system = source.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
        assert row is not None
        assert system is not None
        start = lsn_from_text(row[0])
        ensure_state(target)
        write_stream(
            target,
            StreamState(
                request.stream,
                "changes",
                system[0],
                1,
                databases.source.schema or "",
                name,
                name,
                StreamPhase.STREAMING,
                consistent=start,
                applied=start,
            ),
        )
        for table in tables:
            state = TableState(table.name, TablePhase.COPIED, table.signature, copied=start, settled=start)
            write_table(target, request.stream, state)
        return [table.name for table in tables]
