"""Everything that PostgreSQL can hold arrives as it was: schema, rows, sequences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heavylift.errors import ConflictError
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.schema_copy import is_schema_finished
from heavylift.tables.postgres.snapshot import snapshot_tables
from tests.support.odd_schema import content, schema_text, statements
from tests.support.two_databases import TwoDatabases

SEQUENCES = "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"


def fill(databases: TwoDatabases) -> None:
    version = int(databases.on_source("SHOW server_version_num")[0][0])
    offered = databases.on_source(
        "SELECT count(*) FROM pg_available_extensions WHERE name IN ('hstore', 'citext')"
    )
    databases.on_source(statements(version, extensions=offered == [(2,)]))


def test_one_of_everything_arrives_as_it_was(databases: TwoDatabases) -> None:
    fill(databases)
    request = databases.request(range_bytes=64 * 1024)
    record = snapshot_tables(request)
    source, target = content(databases.source), content(databases.target)
    assert source.keys() == target.keys()
    for table, rows in source.items():
        assert target[table] == rows, table
    assert schema_text(databases.target) == schema_text(databases.source)
    assert databases.on_target(SEQUENCES) == databases.on_source(SEQUENCES)
    assert {count.table: count.rows for count in record.tables} == {
        str(table): len(rows) for table, rows in source.items()
    }
    assert record.rows == sum(map(len, source.values()))
    assert record.consistent_position == record.settled_position
    with connect(databases.target, "test") as session:
        assert is_schema_finished(session, request.stream)
    assert not [each for each in record.findings if each.rule.startswith("schema-object")]


def test_a_second_run_changes_nothing(databases: TwoDatabases) -> None:
    databases.on_source("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
    first = snapshot_tables(databases.request())
    databases.on_source("INSERT INTO t VALUES (3)")
    before = databases.on_target("SELECT xmin::text, * FROM t ORDER BY id")
    again = snapshot_tables(databases.request(run="r2"))
    assert again.already_complete
    assert not first.already_complete
    assert [(t.table, t.rows, t.ranges_reused) for t in again.tables] == [("public.t", 2, 1)]
    assert databases.on_target("SELECT xmin::text, * FROM t ORDER BY id") == before


def test_only_chosen_tables_and_what_they_need_are_made(databases: TwoDatabases) -> None:
    databases.on_source(
        """
        CREATE SCHEMA other; CREATE TYPE other.kind AS ENUM ('a');
        CREATE TABLE other.secret (id int PRIMARY KEY);
        CREATE VIEW other.seen AS SELECT * FROM other.secret;
        CREATE TABLE wanted (id int PRIMARY KEY, k other.kind, s int REFERENCES other.secret);
        INSERT INTO other.secret VALUES (1); INSERT INTO wanted VALUES (1, 'a', 1);
        CREATE VIEW both_of_them AS SELECT id FROM wanted JOIN other.secret USING (id);
        """
    )
    record = snapshot_tables(databases.request(tables=("public.*",)))
    assert databases.rows("SELECT * FROM wanted") == ([(1, "a", 1)], [(1, "a", 1)])
    assert databases.on_target("SELECT to_regclass('other.secret'), to_regclass('other.seen')") == [
        (None, None)
    ]
    refused = {each.subject for each in record.findings if each.rule == "schema-object-not-made"}
    assert refused == {"view public.both_of_them", "fk constraint public.wanted wanted_s_fkey"}


def test_rows_that_heavylift_did_not_write_are_never_touched(databases: TwoDatabases) -> None:
    databases.on_source("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    databases.on_target("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (99)")
    with pytest.raises(ConflictError, match=r"target-occupied.*public\.t.*never written over") as caught:
        snapshot_tables(databases.request())
    assert caught.value.code == "6110"
    assert databases.on_target("SELECT id FROM t") == [(99,)]
    assert databases.on_source(
        "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
    ) == [(0,)]
    databases.on_target("TRUNCATE t")
    snapshot_tables(databases.request())
    databases.assert_equal("t")


def test_anew_begins_over_and_takes_what_came_meanwhile(databases: TwoDatabases) -> None:
    databases.on_source(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a);"
        "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)"
    )
    snapshot_tables(databases.request())
    databases.on_source("INSERT INTO a VALUES (2); ALTER TABLE b ADD COLUMN c text")
    record = snapshot_tables(databases.request(run="r2"), anew=True)
    assert not record.already_complete
    for table in ("a", "b"):
        databases.assert_equal(table)
    assert databases.on_source(
        "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
    ) == [(1,)]


def test_a_wrong_password_is_told_without_it(databases: TwoDatabases) -> None:
    request = databases.request()
    wrong = replace(databases.source, password="not-this-secret")
    request = replace(request, source=replace(request.source, connection=wrong))
    with pytest.raises(Exception, match=r"HL-6010") as caught:
        snapshot_tables(request)
    assert "not-this-secret" not in str(caught.value)
