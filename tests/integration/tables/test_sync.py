"""Applying changes: what the source committed is on the target, row for row."""

from __future__ import annotations

import pytest

from heavylift.errors import ConflictError, IntegrityError
from heavylift.evidence.table_records import SyncRecord
from heavylift.spec.sections_data import OnSchemaChange
from heavylift.tables.engine import Work
from heavylift.tables.postgres.state import Lease
from heavylift.tables.postgres.sync import sync_changes
from tests.support.streams_by_hand import begin_stream_by_hand
from tests.support.two_databases import TwoDatabases


def sync(databases: TwoDatabases, **options: object) -> SyncRecord:
    """Run one bounded sync and return its record."""
    record = sync_changes(databases.request("sync", **options), Work())
    assert record.caught_up
    return record


def begin(databases: TwoDatabases, ddl: str) -> None:
    begin_stream_by_hand(databases, ddl, databases.request())


ITEM = "CREATE TABLE item (id int PRIMARY KEY, n int, body text);"


def test_inserts_updates_and_deletes_arrive(databases: TwoDatabases) -> None:
    begin(databases, ITEM)
    databases.on_source("INSERT INTO item SELECT i, i, 'x' || i FROM generate_series(1, 1000) i")
    databases.on_source("UPDATE item SET n = -n WHERE id % 3 = 0; DELETE FROM item WHERE id % 5 = 0")
    databases.on_source("BEGIN; INSERT INTO item VALUES (5000, 1, 'never'); ROLLBACK")
    record = sync(databases)
    databases.assert_equal("item")
    assert (record.inserts, record.updates, record.deletes, record.transactions) == (1000, 333, 200, 2)
    again = sync(databases)
    assert (again.changes, again.transactions_skipped, again.lag_seconds) == (0, 0, 0.0)


def test_what_dies_before_it_has_noted_its_position_has_told_the_source_nothing(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(databases, ITEM)
    databases.on_source("INSERT INTO item VALUES (1, 1, 'x')")
    # The log goes on with what is no business of the stream.
    databases.on_source("SELECT pg_logical_emit_message(true, 'somebody', repeat('x', 5000))")
    with monkeypatch.context() as dying:

        def die(*_arguments: object) -> None:
            raise KeyboardInterrupt

        dying.setattr(Lease, "caught_up", die)
        with pytest.raises(KeyboardInterrupt):
            sync(databases)
    databases.assert_equal("item")
    databases.on_source("INSERT INTO item VALUES (2, 2, 'y')")
    assert sync(databases).inserts == 1
    databases.assert_equal("item")


def test_a_key_change_takes_a_large_unchanged_value_with_it(databases: TwoDatabases) -> None:
    begin(databases, ITEM + "ALTER TABLE item ALTER body SET STORAGE EXTERNAL;")
    databases.on_source(
        "INSERT INTO item SELECT i, i, repeat(md5(i::text), 300) FROM generate_series(1, 20) i"
    )
    sync(databases)
    databases.on_source(
        "UPDATE item SET id = id + 100 WHERE id <= 5; UPDATE item SET n = n + 1 WHERE id > 10;"
        "UPDATE item SET id = id + 100 WHERE id BETWEEN 101 AND 102;"
        "INSERT INTO item VALUES (1, 1, 'again');"
        "UPDATE item SET n = 7 WHERE id = 201; UPDATE item SET body = NULL WHERE id = 12"
    )
    sync(databases)
    databases.assert_equal("item")


def test_values_that_must_be_unique_change_places_in_one_batch(databases: TwoDatabases) -> None:
    begin(databases, "CREATE TABLE seat (id int PRIMARY KEY, place int UNIQUE, body text);")
    databases.on_source(
        "INSERT INTO seat SELECT i, i, repeat(md5(i::text), 300) FROM generate_series(1, 9) i"
    )
    sync(databases)
    databases.on_source(
        "BEGIN; UPDATE seat SET place = 100 WHERE id = 1; UPDATE seat SET place = 1 WHERE id = 2;"
        "UPDATE seat SET place = 2 WHERE id = 1; COMMIT"
    )
    record = sync(databases)
    databases.assert_equal("seat")
    assert record.batches_retried == 1


def test_rows_without_a_key_keep_their_number(databases: TwoDatabases) -> None:
    begin(
        databases,
        "CREATE TABLE log (a int, b jsonb, c text); ALTER TABLE log REPLICA IDENTITY FULL;"
        "CREATE TABLE nothing (); ALTER TABLE nothing REPLICA IDENTITY FULL;",
    )
    databases.on_source(
        "INSERT INTO log SELECT i % 3, '{\"k\": 1}', NULL FROM generate_series(1, 30) i;"
        "INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES"
    )
    sync(databases)
    databases.assert_equal("log")
    databases.on_source("DELETE FROM log WHERE ctid IN (SELECT ctid FROM log WHERE a = 1 LIMIT 4)")
    databases.on_source("UPDATE log SET c = 'tab\t, \\N and\nline' WHERE a = 2")
    sync(databases)
    databases.assert_equal("log")
    assert databases.on_target("SELECT count(*) FROM nothing") == [(2,)]


def test_truncates_are_barriers(databases: TwoDatabases) -> None:
    begin(
        databases,
        "CREATE TABLE parent (id int PRIMARY KEY);"
        "CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent);",
    )
    databases.on_source(
        "INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1, 1), (2, 2);"
        "TRUNCATE parent CASCADE; INSERT INTO parent VALUES (3); INSERT INTO child VALUES (1, 3)"
    )
    record = sync(databases)
    databases.assert_equal("parent")
    databases.assert_equal("child")
    assert record.truncates == 2


def test_a_transaction_larger_than_a_batch_is_never_half_visible(databases: TwoDatabases) -> None:
    begin(databases, ITEM)
    databases.on_source("INSERT INTO item SELECT i, i, 'x' FROM generate_series(1, 5000) i")
    record = sync(databases, batch_changes=700)
    databases.assert_equal("item")
    assert record.batches >= 8
    assert record.transactions == 1


def test_new_columns_are_followed_and_their_old_rows_filled(databases: TwoDatabases) -> None:
    begin(databases, ITEM)
    databases.on_source("INSERT INTO item VALUES (1, 1, 'a')")
    databases.on_source(
        "ALTER TABLE item ADD COLUMN made timestamptz NOT NULL DEFAULT now();"
        "ALTER TABLE item ADD COLUMN note text"
    )
    databases.on_source("INSERT INTO item VALUES (2, 2, 'b')")
    record = sync(databases)
    databases.assert_equal("item")
    assert len(record.schema_changes) == 3


def test_a_rename_stops_before_it_and_goes_on_once_followed(databases: TwoDatabases) -> None:
    begin(databases, ITEM)
    databases.on_source("ALTER TABLE item RENAME body TO text")
    databases.on_source("INSERT INTO item VALUES (1, 1, 'a')")
    with pytest.raises(ConflictError, match="no longer has column body, but text"):
        sync(databases)
    assert databases.on_target("SELECT count(*) FROM item") == [(0,)]
    databases.on_target("ALTER TABLE item RENAME body TO text")
    sync(databases)
    databases.assert_equal("item")


def test_new_labels_of_an_enum_are_added(databases: TwoDatabases) -> None:
    begin(databases, "CREATE TYPE mood AS ENUM ('a', 'c'); CREATE TABLE m (id int PRIMARY KEY, v mood);")
    databases.on_source("INSERT INTO m VALUES (1, 'a')")
    databases.on_source("ALTER TYPE mood ADD VALUE 'b' BEFORE 'c'")
    databases.on_source("INSERT INTO m VALUES (2, 'b')")
    record = sync(databases)
    databases.assert_equal("m")
    assert len(record.schema_changes) == 1


def test_partitions_are_followed_each_by_itself(databases: TwoDatabases) -> None:
    begin(
        databases,
        "CREATE TABLE sale (day date, id int, v text, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);"
        "CREATE TABLE sale_25 PARTITION OF sale FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');"
        "CREATE TABLE sale_26 PARTITION OF sale FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');",
    )
    databases.on_source(
        "INSERT INTO sale VALUES ('2025-05-05', 1, 'a'), ('2026-05-05', 2, 'b'), ('2026-06-05', 3, 'c')"
    )
    sync(databases)
    databases.on_source("UPDATE sale SET day = '2025-07-07' WHERE id = 3")
    databases.on_source("TRUNCATE sale_26")
    sync(databases)
    databases.assert_equal("sale")


def test_wider_types_are_followed_and_others_stop(databases: TwoDatabases) -> None:
    begin(databases, ITEM)
    databases.on_source("ALTER TABLE item ALTER n TYPE bigint")
    databases.on_source("INSERT INTO item VALUES (1, 5000000000, 'a')")
    assert len(sync(databases).schema_changes) == 1
    databases.assert_equal("item")
    databases.on_source("ALTER TABLE item ALTER n TYPE text")
    databases.on_source("INSERT INTO item VALUES (2, 'many', 'a')")
    with pytest.raises(ConflictError, match="column n of type text instead of bigint"):
        sync(databases)


def test_any_change_of_definitions_stops_where_the_spec_says_so(databases: TwoDatabases) -> None:
    begin(databases, ITEM)
    databases.on_source("ALTER TABLE item ADD COLUMN note text")
    databases.on_source("INSERT INTO item VALUES (1, 1, 'a', 'b')")
    with pytest.raises(ConflictError, match="on_schema_change: stop"):
        sync(databases, on_schema_change=OnSchemaChange.STOP)


def test_a_row_that_somebody_took_from_the_target_is_noticed(databases: TwoDatabases) -> None:
    begin(databases, ITEM + "ALTER TABLE item ALTER body SET STORAGE EXTERNAL;")
    databases.on_source("INSERT INTO item VALUES (1, 1, repeat('long ', 2000)), (2, 2, 'x')")
    sync(databases)
    databases.on_target("DELETE FROM item WHERE id = 1")
    databases.on_source("UPDATE item SET n = 3 WHERE id = 1")
    with pytest.raises(IntegrityError, match="1 updated rows that the target does not have"):
        sync(databases)


def test_whole_rows_are_the_sources_whatever_somebody_did_to_the_targets(databases: TwoDatabases) -> None:
    begin(databases, ITEM)
    databases.on_source("INSERT INTO item SELECT i, i, 'x' || i FROM generate_series(1, 20) i")
    sync(databases)
    databases.on_target(
        "DELETE FROM item WHERE id IN (1, 2); UPDATE item SET body = 'theirs' WHERE id = 3;"
        "INSERT INTO item VALUES (21, 0, 'theirs'), (22, 0, 'theirs')"
    )
    databases.on_source(
        "BEGIN; UPDATE item SET n = -n WHERE id <= 5;"
        "INSERT INTO item VALUES (21, 21, 'ours'), (23, 23, 'ours');"
        "DELETE FROM item WHERE id = 6; INSERT INTO item VALUES (6, 60, 'again');"
        "UPDATE item SET id = 22 WHERE id = 7; UPDATE item SET n = n + 1 WHERE id = 22; COMMIT"
    )
    record = sync(databases)
    databases.assert_equal("item")
    assert (record.inserts, record.updates, record.deletes, record.batches_retried) == (3, 7, 1, 0)


def test_names_and_values_of_any_kind_arrive(databases: TwoDatabases) -> None:
    begin(
        databases,
        'CREATE SCHEMA "Odd.Schema"; CREATE DOMAIN "Odd.Schema".pos AS int NOT NULL CHECK (VALUE > 0);'
        'CREATE TABLE "Odd.Schema"."select \'x" ("Key" "Odd.Schema".pos PRIMARY KEY, "a""b" text[],'
        " c numeric, d float8, e timestamptz, f bytea, g interval, h jsonb, i int4range,"
        " j int GENERATED ALWAYS AS (length(k)) STORED, k text, l int GENERATED ALWAYS AS IDENTITY)",
    )
    table = '"Odd.Schema"."select \'x"'
    databases.on_source(
        f"INSERT INTO {table} VALUES (1, '{{NULL,\"NULL\",\"\"}}', 'NaN', '-0', 'infinity', '\\x00ff5c',"
        " '1 mon -2 days', '{\"a\": null}', '[1,5)', DEFAULT, '', DEFAULT),"
        " (2, '{}', 1e-300, 1e308, '4713-01-01 BC', '', '0', '[]', 'empty', DEFAULT,"
        " E'\\\\N\\t\\n\\r', DEFAULT),"
        " (3, NULL, '-Infinity', 'NaN', '-infinity', NULL, NULL, 'null', NULL, DEFAULT, NULL, DEFAULT)"
    )
    sync(databases)
    databases.on_source(f'UPDATE {table} SET "Key" = "Key" + 10, c = c / 3')
    sync(databases)
    databases.assert_equal(table)
    assert databases.on_target(f"SELECT count(*) FROM {table}") == [(3,)]
