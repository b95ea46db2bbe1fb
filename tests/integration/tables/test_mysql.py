"""MySQL to PostgreSQL: every type both ways, a live database, and what the log says beyond rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from heavylift.errors import ConflictError, PermanentError, UnsupportedError
from heavylift.evidence.table_records import SyncRecord
from heavylift.spec.sections_data import OnSchemaChange
from heavylift.tables.engine import Work
from heavylift.tables.mysql.moving import BinlogEngine
from sandbox.stack import Stack
from tests.support.longer import first_then_long
from tests.support.mysql_family import FAMILY, FAMILY_CHANGES, FAMILY_TABLES
from tests.support.mysql_to_postgres import MysqlToPostgres, mysql_to_postgres
from tests.support.mysql_writer import LEDGER, TABLES, MysqlWriter

ENGINE = BinlogEngine()
ALL_TYPES = """CREATE TABLE t (id int unsigned AUTO_INCREMENT PRIMARY KEY, a tinyint, au tinyint unsigned,
 b tinyint(1), s smallint, su smallint unsigned, mi mediumint, mu mediumint unsigned, i int, bi bigint,
 ub bigint unsigned, z int(8) zerofill, d decimal(20,5), d2 decimal(65,30), d3 decimal(9,0), f float,
 g double, c char(10), v varchar(300), l varchar(20) CHARACTER SET latin1,
 u varchar(20) CHARACTER SET ucs2, tx text, bl blob, bn binary(5),
 vb varbinary(10), dt date, dtt datetime, dt6 datetime(6), dt3 datetime(3),
 ts timestamp NULL, ts6 timestamp(6) NULL, tm time, tm3 time(3), y year, e enum('a','b','ü'),
 st set('x','y','z'), j json, bt bit(12), b1 bit(1), gs int AS (i + 1) STORED, `Odd "N %s` int, KEY k (i))"""
ROWS = r"""INSERT INTO t (a,au,b,s,su,mi,mu,i,bi,ub,z,d,d2,d3,f,g,c,v,l,u,tx,bl,bn,vb,dt,dtt,dt6,dt3,ts,ts6,
 tm,tm3,y,e,st,j,bt,b1,`Odd "N %s`) VALUES (-128,255,1,-32768,65535,-8388608,16777215,-2147483648,
 -9223372036854775808,18446744073709551615,42,-12345.67890,-0.000000000000000000000000000001,-999999999,1.1,
 1.1e-300,'hé  ','tab\tnl\nbs\\ x','café €','ucs ü','tïxt 🙂',x'00ff01',x'0100',x'ff00','1000-01-01',
 '9999-12-31 23:59:59','2020-02-29 01:02:03.000004','2020-01-01 00:00:00.120','2038-01-19 03:14:07',
 '1970-01-01 00:00:01.5','23:59:59','00:00:00.5',2155,'ü','x,z','{"b": 1, "a": [1, 2.50]}',b'101010101010',
 b'1',7), (127,0,0,32767,0,8388607,0,2147483647,9223372036854775807,0,0,99999.99999,1e34,1,-1.17549435e-38,
 -0.0,'','','','','',x'',x'',x'','9999-12-31','1000-01-01 00:00:00','1000-01-01 00:00:00',
 '2000-12-31 23:59:59','1970-01-01 00:00:01','2038-01-19 03:14:07.999999','00:00:00','23:59:59.999',0,'','',
 '[]',b'0',b'0',NULL)"""


@pytest.fixture
def databases(sandbox: Stack) -> Iterator[MysqlToPostgres]:
    sandbox.ensure("mysql_source")
    with mysql_to_postgres(sandbox.env) as made:
        yield made


def begin(databases: MysqlToPostgres, *statements: str) -> None:
    databases.on_source(*statements)
    ENGINE.snapshot(databases.request(), Work())


def sync(databases: MysqlToPostgres, **options: object) -> SyncRecord:
    return ENGINE.sync(databases.request(**options), Work())


def assert_proved(databases: MysqlToPostgres, *, frozen: bool = True) -> None:
    compared = ENGINE.compare(databases.request(), Work(), frozen=frozen)
    unlike = {each.table: each.in_words for each in compared.tables if not each.is_equal}
    assert not unlike, (unlike, compared.differences[:3])


def test_every_type_arrives_by_snapshot_and_by_the_log(databases: MysqlToPostgres) -> None:
    numbers = (
        "INSERT INTO t (g, f, d) SELECT (rand() - 0.5) * pow(10, cast(seq % 600 AS signed) - 300),"
        " rand() * pow(10, cast(seq % 60 AS signed) - 30), (rand() - 0.5) * 1e6 FROM seq_1_to_500"
    )
    begin(databases, ALL_TYPES, ROWS, "INSERT INTO t () VALUES ()", numbers)
    databases.assert_equal("t")
    assert_proved(databases)
    databases.on_source(
        ROWS, numbers, "UPDATE t SET i = 5, st = 'y,z' WHERE id = 1", "DELETE FROM t WHERE id = 3"
    )
    record = sync(databases)
    assert (record.inserts, record.updates, record.deletes) == (502, 1, 1)
    databases.assert_equal("t")
    assert_proved(databases, frozen=False)
    databases.on_target("UPDATE t SET g = g + 1 WHERE id = 7; ")
    databases.on_target("DELETE FROM t WHERE id = 8")
    compared = ENGINE.compare(databases.request(), Work(), frozen=True)
    assert {(each.kind, each.key["id"]) for each in compared.differences} == {
        ("different", "7"),
        ("missing", "8"),
    }


def test_a_database_moves_while_it_is_written_to(databases: MysqlToPostgres) -> None:
    databases.on_source(*LEDGER)
    request = databases.request(range_bytes=16384, batch_changes=300)
    with MysqlWriter(databases, seed=1) as writer:
        writer.wait_for(150)
        assert ENGINE.snapshot(request, Work()).rows > 0
        writer.wait_for(writer.commits + 150)
        assert ENGINE.sync(request, Work()).caught_up
        assert_proved(databases, frozen=False)
        writer.wait_for(writer.commits + 50)
    drained = ENGINE.drain(request, Work(), within_seconds=60)
    assert (drained.reached, drained.findings) == (True, ())
    for table in TABLES:
        databases.assert_equal(table)
    assert_proved(databases)
    (highest,) = databases.on_source("SELECT coalesce(max(id), 0) FROM account")[0]
    assert drained.sequences[f"{databases.schema}.account_id_seq"] > highest
    unique = databases.on_target(
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'account' AND indexdef LIKE 'CREATE UNIQUE%%tag%%'"
    )
    assert len(unique) == 1
    status = ENGINE.status(request)
    assert (status.state, status.slot_state, status.lag_bytes) == ("streaming", "reserved", 0)
    assert ENGINE.end(request).state == "ended"


@pytest.mark.long
def test_keys_that_differ_in_case_and_rows_without_a_key(databases: MysqlToPostgres) -> None:
    begin(
        databases,
        "CREATE TABLE k (a varchar(10) PRIMARY KEY, v int UNIQUE)",
        "CREATE TABLE n (a int, b varchar(10))",
        "INSERT INTO k VALUES ('a', 1), ('b', 2), ('ß', 3)",
        "INSERT INTO n VALUES (1, 'x'), (1, 'x'), (2, NULL)",
    )
    databases.on_source(
        "UPDATE k SET a = 'A' WHERE a = 'a'",
        "UPDATE k SET v = 9 WHERE v = 1",
        "UPDATE k SET v = 1 WHERE v = 2",
        "UPDATE k SET v = 2 WHERE v = 9",
        "INSERT INTO n SELECT * FROM n",
        "DELETE FROM n WHERE a = 1 LIMIT 1",
        "UPDATE n SET b = 'q' WHERE a = 2 LIMIT 1",
    )
    sync(databases)
    databases.assert_equal("k")
    databases.assert_equal("n")
    assert_proved(databases)
    databases.on_target("INSERT INTO n VALUES (1, 'x'), (1, 'x')")
    compared = ENGINE.compare(databases.request(), Work(), frozen=True)
    assert {each.table: each.extra for each in compared.tables} == {
        f"{databases.schema}.k": 0,
        f"{databases.schema}.n": 2,
    }


@pytest.mark.long
def test_truncate_and_added_columns_are_followed(databases: MysqlToPostgres) -> None:
    begin(databases, "CREATE TABLE k (id int PRIMARY KEY, v int)", "INSERT INTO k VALUES (1, 1), (2, 2)")
    databases.on_source(
        "TRUNCATE TABLE k",
        "INSERT INTO k VALUES (3, 3)",
        "ALTER TABLE k ADD COLUMN w varchar(5) DEFAULT 'ab' AFTER id, ADD x int",
        "INSERT INTO k VALUES (4, 'q', 4, 5)",
        "ALTER TABLE k ADD INDEX (v)",
        "CREATE TABLE more (id int PRIMARY KEY)",
        "INSERT INTO more VALUES (1)",
        "CREATE VIEW seen AS SELECT * FROM k",
    )
    record = sync(databases)
    assert record.truncates == 1
    assert len(record.schema_changes) == 3
    assert [each.rule for each in record.findings] == ["definition-not-followed"]
    databases.assert_equal("k")
    databases.assert_equal("more")
    databases.on_source("INSERT INTO more VALUES (2)", "DELETE FROM k WHERE id = 3")
    sync(databases)
    assert_proved(databases)


@pytest.mark.long
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE k MODIFY v varchar(10)",
        "ALTER TABLE k DROP COLUMN v",
        "ALTER TABLE k ADD COLUMN w timestamp NOT NULL DEFAULT current_timestamp()",
        "RENAME TABLE k TO k2",
        "DROP TABLE k",
    ],
)
def test_other_definitions_stop_the_stream_until_the_table_is_copied_anew(
    databases: MysqlToPostgres, statement: str
) -> None:
    begin(
        databases,
        "CREATE TABLE k (id int PRIMARY KEY, v int)",
        "CREATE TABLE other (id int PRIMARY KEY)",
        "INSERT INTO k VALUES (1, 1)",
    )
    databases.on_source("INSERT INTO k VALUES (2, 2)", statement, "INSERT INTO other VALUES (1)")
    for _ in range(2):
        with pytest.raises(ConflictError) as stopped:
            sync(databases)
        assert stopped.value.code == "6430"
    assert databases.on_target("SELECT count(*) FROM other") == [(0,)]
    remedy = str(stopped.value)
    databases.on_target(remedy[remedy.index("DROP TABLE IF EXISTS") : remedy.index(" Retry:")].rstrip("."))
    sync(databases)
    assert_proved(databases)
    assert databases.on_target("SELECT count(*) FROM other") == [(1,)]


def test_a_definition_stops_where_the_spec_says_so(databases: MysqlToPostgres) -> None:
    begin(databases, "CREATE TABLE k (id int PRIMARY KEY)")
    databases.on_source("ALTER TABLE k ADD COLUMN v int")
    with pytest.raises(ConflictError, match="HL-6430"):
        sync(databases, on_schema_change=OnSchemaChange.STOP)


@pytest.mark.parametrize(
    ("statements", "code"),
    first_then_long(
        [
            (("SET SESSION binlog_format = STATEMENT", "INSERT INTO k VALUES (1)"), "6431"),
            (
                (
                    "SET SESSION binlog_row_image = MINIMAL",
                    "INSERT INTO w VALUES (1, 1)",
                    "UPDATE w SET v = 2",
                ),
                "6417",
            ),
            (
                ("XA START 'x'", "INSERT INTO k VALUES (1)", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"),
                "6432",
            ),
        ]
    ),
)
def test_what_is_not_a_whole_row_event_stops_the_stream(
    databases: MysqlToPostgres, statements: tuple[str, ...], code: str
) -> None:
    begin(databases, "CREATE TABLE k (id int PRIMARY KEY)", "CREATE TABLE w (id int PRIMARY KEY, v int)")
    databases.on_source(*statements)
    with pytest.raises((ConflictError, UnsupportedError)) as stopped:
        sync(databases)
    assert stopped.value.code == code
    assert databases.on_target("SELECT count(*) FROM k") == [(0,)]


@pytest.mark.long
def test_purged_and_reset_logs_make_the_stream_invalid(databases: MysqlToPostgres) -> None:
    begin(databases, "CREATE TABLE k (id int PRIMARY KEY)", "INSERT INTO k VALUES (1)")
    databases.on_source("FLUSH BINARY LOGS", "INSERT INTO k VALUES (2)")
    assert sync(databases).inserts == 1
    (name, *_) = databases.on_source("FLUSH BINARY LOGS", "INSERT INTO k VALUES (3)", "SHOW MASTER STATUS")[0]
    while databases.on_source("SHOW BINARY LOGS")[0][0] != name:
        # A file that the last reader has not let go of yet is left out.
        databases.on_source(f"PURGE BINARY LOGS TO '{name}'")
    with pytest.raises(PermanentError, match="no longer has"):
        sync(databases)
    assert ENGINE.status(databases.request()).state == "invalid"
    with pytest.raises(PermanentError, match="HL-6115"):
        ENGINE.snapshot(databases.request(), Work())
    ENGINE.snapshot(databases.request(anew=True), Work())
    databases.assert_equal("k")
    databases.on_source("RESET MASTER")
    for number in range(10, 20):
        databases.on_source(f"INSERT INTO k VALUES ({number})", "FLUSH BINARY LOGS")
    with pytest.raises(PermanentError, match="HL-6420"):
        sync(databases)


def test_the_preflight_names_what_postgresql_has_no_place_for(databases: MysqlToPostgres) -> None:
    databases.on_source(
        "CREATE TABLE bad (id int PRIMARY KEY, g point, b tinyint(1), tm time, d date,"
        " n int AS (id) VIRTUAL)",
        "INSERT INTO bad (id, b, tm, d) VALUES (1, 5, '800:00:00', '0000-00-00')",
        "CREATE TABLE mine (a int) ENGINE = MyISAM",
        "CREATE TRIGGER tr BEFORE INSERT ON bad FOR EACH ROW SET NEW.b = 0",
    )
    record = ENGINE.preflight(databases.request(), Work())
    assert not record.passed
    assert {each.rule for each in record.findings} >= {
        "column-type", "tinyint-values", "time-values", "zero-dates", "virtual-column", "table-engine",
        "not-carried", "no-primary-key",
    }  # fmt: skip
    with pytest.raises(ConflictError, match="HL-6110"):
        ENGINE.snapshot(databases.request(), Work())


@pytest.mark.long
def test_odd_values_are_moved_where_the_connection_says_how(databases: MysqlToPostgres) -> None:
    odd = databases.with_extra(zero_dates="null", tinyint1="smallint", time="interval")
    values = "(5, '-800:00:00.25', '0000-00-00', '2020-00-10 00:00:00', '0000-00-00 00:00:00')"
    begin(
        odd,
        "CREATE TABLE o (id int PRIMARY KEY AUTO_INCREMENT, b tinyint(1), tm time(2), d date, dt datetime,"
        " ts timestamp NULL)",
        f"INSERT INTO o (b, tm, d, dt, ts) VALUES {values}",
    )
    odd.on_source(f"INSERT INTO o (b, tm, d, dt, ts) VALUES {values}")
    sync(odd)
    found = odd.on_target("SELECT b, tm::text, d, dt, ts FROM o")
    assert found == [(5, "-800:00:00.25", None, None, None)] * 2
    assert_proved(odd)
    refused = databases.request()
    odd.on_source("INSERT INTO o (d) VALUES ('0000-00-00')")
    with pytest.raises(PermanentError, match="HL-6405"):
        ENGINE.sync(refused, Work())


@pytest.mark.long
def test_what_foreign_keys_do_silently_is_done_on_the_target(databases: MysqlToPostgres) -> None:
    begin(databases, *FAMILY)
    databases.on_source(*FAMILY_CHANGES)
    sync(databases)
    for table in FAMILY_TABLES:
        databases.assert_equal(table)
    assert_proved(databases)
