"""What the target remembers of a stream, and who may change it."""

from __future__ import annotations

import pytest

from heavylift.errors import ConflictError, NotFoundError, TransientError
from heavylift.tables.model import TableName
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.state import (
    StreamPhase,
    StreamState,
    TablePhase,
    TableState,
    ensure_state,
    leased,
    read_stream,
    read_tables,
    write_stream,
    write_table,
)
from tests.support.two_databases import TwoDatabases

STREAM = StreamState("m/db/forward", "changes", "7", 1, "db", "s", "p", StreamPhase.STREAMING, applied=2**40)


def test_state_is_read_as_it_was_written(databases: TwoDatabases) -> None:
    name = TableName("Odd schema", "with.dot")
    table = TableState(name, TablePhase.COPYING, (("a", "integer", False),), "16384", 5, 2**33, 12)
    with connect(databases.target, "test") as session:
        assert read_stream(session, STREAM.id) is None
        ensure_state(session)
        ensure_state(session)
        write_stream(session, STREAM)
        write_table(session, STREAM.id, table)
        assert read_stream(session, STREAM.id) == STREAM
        assert read_tables(session, STREAM.id) == {name: table}


def test_a_second_run_is_refused_and_a_taken_over_one_changes_nothing(databases: TwoDatabases) -> None:
    with connect(databases.target, "test") as session, connect(databases.target, "test") as other:
        ensure_state(session)
        write_stream(session, STREAM)
        with leased(session, STREAM.id) as lease:
            with pytest.raises(TransientError, match="another run"), leased(other, STREAM.id):
                pass
            lease.advance(other, 2**40 + 1, None, 3)
        with leased(other, STREAM.id):
            with pytest.raises(ConflictError, match="taken it over"):
                lease.advance(session, 2**41, None, 1)
            with pytest.raises(ConflictError, match="taken it over"):
                lease.demand(session)
        found = read_stream(session, STREAM.id)
        assert found is not None
        assert (found.applied, found.changes) == (2**40 + 1, 3)
        with pytest.raises(NotFoundError, match="nothing noted"), leased(session, "no such"):
            pass
