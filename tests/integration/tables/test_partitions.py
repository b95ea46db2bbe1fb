"""Partitions that come and go on the source while the stream flows; each is found, none is passed over."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing

import pytest

from heavylift.errors import ConflictError
from heavylift.evidence.table_records import SyncRecord
from heavylift.spec.sections_data import OnSchemaChange
from heavylift.tables.engine import Work
from heavylift.tables.model import Table
from heavylift.tables.postgres import sync as sync_module
from heavylift.tables.postgres import tables_added
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.moving import ChangesEngine
from heavylift.tables.postgres.partitions import new_parts
from heavylift.tables.postgres.pump import MAX_RESTARTS
from tests.support.longer import first_then_long
from tests.support.two_databases import TwoDatabases

ENGINE = ChangesEngine()
SALES = """
CREATE TABLE sale (day date, id int, v text, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
CREATE INDEX sale_v ON sale (v);
CREATE TABLE sale_25 PARTITION OF sale FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO sale SELECT date '2025-01-01' + i % 365, i, 'v' || i FROM generate_series(1, 500) i;
"""
NEXT = "FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
ROWS = "INSERT INTO sale SELECT date '2026-01-01' + i % 365, {0} + i, 'w' FROM generate_series(1, 300) i"
TREE = (
    "SELECT relid::regclass::text, parentrelid::regclass::text, isleaf FROM pg_partition_tree('sale')"
    " ORDER BY 1"
)


class CutOffError(Exception):
    """Stands for whatever may end a run."""


def begin(databases: TwoDatabases, more: str = "") -> None:
    databases.on_source(SALES + more)
    ENGINE.snapshot(databases.request(), Work())


def sync(databases: TwoDatabases, **options: object) -> SyncRecord:
    record = ENGINE.sync(databases.request(**options), Work())
    assert record.caught_up
    return record


def assert_same(databases: TwoDatabases) -> None:
    source, target = databases.rows(TREE)
    assert target == source
    databases.assert_equal("sale")
    notes = "SELECT count(*) FROM heavylift.stream_table WHERE table_name LIKE 'sale!_%' ESCAPE '!'"
    assert databases.on_target(notes) == [(0,)]


def test_a_new_partition_is_made_and_its_rows_arrive(databases: TwoDatabases) -> None:
    begin(databases)
    databases.on_source(f"CREATE TABLE sale_26 PARTITION OF sale {NEXT}")
    databases.on_source(ROWS.format(1000))
    databases.on_source("UPDATE sale SET day = '2026-07-07' WHERE id <= 20; DELETE FROM sale WHERE id = 1005")
    assert "-- partition public.sale_26 was added" in sync(databases).schema_changes
    assert_same(databases)
    databases.on_source("UPDATE sale SET v = 'x' WHERE day >= '2026-01-01'; TRUNCATE sale_25")
    record = sync(databases)
    assert (record.truncates, record.schema_changes) == (1, ())
    assert_same(databases)


@pytest.mark.long
def test_a_table_that_was_filled_before_it_was_attached_comes_whole(databases: TwoDatabases) -> None:
    begin(databases)
    databases.on_source(
        "CREATE TABLE sale_26 (LIKE sale INCLUDING ALL);"
        "INSERT INTO sale_26 VALUES ('2026-05-05', 1, 'early');"
        f"ALTER TABLE sale ATTACH PARTITION sale_26 {NEXT}"
    )
    databases.on_source(ROWS.format(1000))
    sync(databases)
    assert_same(databases)


@pytest.mark.long
def test_a_table_of_the_stream_that_becomes_a_partition_is_attached(databases: TwoDatabases) -> None:
    begin(databases)
    databases.on_source(
        "CREATE TABLE sale_26 (LIKE sale INCLUDING ALL);INSERT INTO sale_26 VALUES ('2026-05-05', 1, 'early')"
    )
    sync(databases)
    databases.assert_equal("sale_26")
    databases.on_source("INSERT INTO sale_26 VALUES ('2024-01-01', 2, 'fits no limits')")
    databases.on_source("DELETE FROM sale_26 WHERE id = 2; INSERT INTO sale_26 VALUES ('2026-06-06', 3, 'x')")
    databases.on_source(f"ALTER TABLE sale ATTACH PARTITION sale_26 {NEXT}")
    databases.on_source(ROWS.format(1000))
    assert "-- partition public.sale_26 was attached" in sync(databases).schema_changes
    assert_same(databases)


@pytest.mark.long
def test_partitions_of_partitions_come_too(databases: TwoDatabases) -> None:
    begin(databases)
    databases.on_source(
        f"CREATE TABLE sale_26 PARTITION OF sale {NEXT} PARTITION BY HASH (id);"
        "CREATE TABLE sale_26_0 PARTITION OF sale_26 FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        "CREATE TABLE sale_26_1 PARTITION OF sale_26 FOR VALUES WITH (MODULUS 2, REMAINDER 1)"
    )
    databases.on_source(ROWS.format(1000))
    sync(databases)
    assert_same(databases)
    assert ENGINE.compare(databases.request(), Work(), frozen=False).difference_count == 0


def test_partitions_come_while_a_writer_fills_them_and_syncs_run(databases: TwoDatabases) -> None:
    begin(databases)
    done = threading.Event()

    def write() -> None:
        with closing(connect(databases.source, "writer")) as session:
            session.execute("SET search_path = public")
            for year in range(2026, 2034):
                limits = f"FOR VALUES FROM ('{year}-01-01') TO ('{year + 1}-01-01')"
                session.execute(f"CREATE TABLE sale_{year} PARTITION OF sale {limits}".encode())
                for number in range(40):
                    session.execute(
                        "INSERT INTO sale SELECT %s::date + i, %s, 'w' FROM generate_series(1, 5) i",
                        [f"{year}-01-01", number],
                    )
                    session.execute("UPDATE sale SET v = 'u' WHERE day = %s", [f"{year}-01-02"])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    syncs = 0
    while not done.is_set():
        sync(databases, batch_changes=50)
        syncs += 1
    writer.join()
    sync(databases)
    assert syncs > 0
    assert_same(databases)


def test_a_partition_that_comes_while_another_is_taken_in_gets_a_snapshot_too(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(databases)
    databases.on_source(f"CREATE TABLE sale_26 PARTITION OF sale {NEXT}; {ROWS.format(1000)}")
    read_schema = tables_added.SnapshotRun._read_schema
    later = iter(["2027", "2028"])

    def read_later(run: tables_added.SnapshotRun, roots: Sequence[Table]) -> None:
        # Filled before it is attached: only a snapshot has these rows.
        if year := next(later, None):
            databases.on_source(
                f"CREATE TABLE sale_{year} (LIKE sale INCLUDING ALL);"
                f"INSERT INTO sale_{year} VALUES ('{year}-02-02', 1, 'early');"
                f"ALTER TABLE sale ATTACH PARTITION sale_{year}"
                f" FOR VALUES FROM ('{year}-01-01') TO ('{int(year) + 1}-01-01');"
                f"INSERT INTO sale VALUES ('{year}-03-03', 1, 'w')"
            )
        read_schema(run, roots)

    monkeypatch.setattr(tables_added.SnapshotRun, "_read_schema", read_later)
    record = sync(databases)
    assert "-- partition public.sale_26 was added" in record.schema_changes
    sync(databases)
    sync(databases)
    assert_same(databases)


@pytest.mark.long
def test_a_run_that_meets_many_new_partitions_one_after_the_other_goes_on(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(databases)
    monkeypatch.setattr(sync_module, "new_parts", lambda *a, **k: new_parts(*a, **k)[:1])
    for year in range(2026, 2026 + 2 * MAX_RESTARTS):
        databases.on_source(
            f"CREATE TABLE sale_{year} PARTITION OF sale"
            f" FOR VALUES FROM ('{year}-01-01') TO ('{year + 1}-01-01');"
            f"INSERT INTO sale VALUES ('{year}-03-03', 1, 'w')"
        )
    assert len(sync(databases).schema_changes) == 2 * MAX_RESTARTS
    sync(databases)
    assert_same(databases)


@pytest.mark.long
def test_a_partition_that_is_cut_off_goes_on(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(databases)
    databases.on_source(f"CREATE TABLE sale_26 PARTITION OF sale {NEXT}")
    databases.on_source(ROWS.format(1000))

    for place in ("_copy_later", "_note_copied"):

        def cut(*_: object) -> None:
            raise CutOffError

        with monkeypatch.context() as patch:
            patch.setattr(tables_added.SnapshotRun, place, cut)
            with pytest.raises(CutOffError):
                sync(databases)
        databases.on_source("INSERT INTO sale VALUES ('2026-12-31', (random() * 1e9)::int, 'between')")
    sync(databases)
    assert_same(databases)


@pytest.mark.parametrize(
    "act", first_then_long(["DROP TABLE sale_26", "ALTER TABLE sale DETACH PARTITION sale_26"])
)
def test_a_partition_that_goes_stops_the_stream_once_its_changes_are_applied(
    databases: TwoDatabases, act: str
) -> None:
    begin(databases, f"CREATE TABLE sale_26 PARTITION OF sale {NEXT};")
    databases.on_source(ROWS.format(1000))
    databases.on_source("INSERT INTO sale VALUES ('2025-05-05', 9999, 'before')")
    databases.on_source(act)
    databases.on_source("INSERT INTO sale VALUES ('2025-05-06', 9999, 'after')")
    for _ in range(2):
        with pytest.raises(ConflictError, match=r"detached or renamed: public.sale_26.*HL-6148"):
            sync(databases)
    assert databases.on_target("SELECT count(*) FROM sale WHERE id = 9999") == [(2,)]
    assert databases.on_target("SELECT count(*) FROM sale_26") == [(300,)]
    databases.on_target("DROP TABLE sale_26")
    sync(databases)
    databases.assert_equal("sale")
    if "DETACH" in act:
        databases.assert_equal("sale_26")


@pytest.mark.long
def test_a_partition_that_was_made_again_is_copied_anew(databases: TwoDatabases) -> None:
    begin(databases, f"CREATE TABLE sale_26 PARTITION OF sale {NEXT};" + ROWS.format(1000))
    databases.on_source("DELETE FROM sale WHERE id = 1001")
    databases.on_source(f"DROP TABLE sale_26; CREATE TABLE sale_26 PARTITION OF sale {NEXT}")
    databases.on_source("INSERT INTO sale VALUES ('2026-05-05', 7, 'again')")
    with pytest.raises(ConflictError, match=r"dropped and made again: public.sale_26.*HL-6149"):
        sync(databases)
    databases.on_target("TRUNCATE sale_26")
    sync(databases)
    assert_same(databases)


def test_a_partition_that_came_and_went_is_passed_over(databases: TwoDatabases) -> None:
    begin(databases)
    databases.on_source(f"CREATE TABLE sale_26 PARTITION OF sale {NEXT}")
    databases.on_source(ROWS.format(1000))
    databases.on_source("UPDATE sale SET day = '2025-05-05' WHERE id = 1001")
    databases.on_source("DROP TABLE sale_26")
    assert any("came and went" in each for each in sync(databases).schema_changes)
    assert_same(databases)


def test_what_cannot_be_followed_stops(databases: TwoDatabases) -> None:
    begin(databases)
    databases.on_source(f"CREATE UNLOGGED TABLE sale_26 PARTITION OF sale {NEXT}")
    with pytest.raises(ConflictError, match=r"foreign or unlogged tables: public.sale_26.*HL-6150"):
        sync(databases)
    databases.on_source("ALTER TABLE sale_26 SET LOGGED")
    with pytest.raises(ConflictError, match=r"on_schema_change: stop.*HL-6042"):
        sync(databases, on_schema_change=OnSchemaChange.STOP)
    databases.on_source(ROWS.format(1000))
    sync(databases)
    assert_same(databases)


@pytest.mark.long
def test_a_table_that_both_sides_dropped_is_forgotten(databases: TwoDatabases) -> None:
    begin(databases, "CREATE TABLE other (id int PRIMARY KEY);")
    databases.on_source("DROP TABLE other")
    with pytest.raises(ConflictError, match=r"no longer has: public.other.*HL-6043"):
        sync(databases)
    databases.on_target("DROP TABLE other")
    sync(databases)
    assert ENGINE.drain(databases.request(), Work(), within_seconds=60).reached
    assert ENGINE.prepare_reverse(databases.request(), Work()).tables == ("public.sale",)


@pytest.mark.long
def test_on_the_way_back_a_new_partition_stops_until_it_is_made(databases: TwoDatabases) -> None:
    begin(databases)
    assert ENGINE.drain(databases.request(), Work(), within_seconds=60).reached
    ENGINE.prepare_reverse(databases.request(), Work())
    databases.on_target(f"CREATE TABLE sale_26 PARTITION OF sale {NEXT}")
    databases.on_target(ROWS.format(1000))
    back = databases.request().reversed()
    for _ in range(2):
        with pytest.raises(ConflictError, match=r"changes of public.sale_26.*HL-6153"):
            ENGINE.sync(back, Work())
    databases.on_source(f"CREATE TABLE sale_26 PARTITION OF sale {NEXT}")
    assert ENGINE.sync(back, Work()).caught_up
    databases.assert_equal("sale")
