"""MySQL to MySQL: every type both ways, a live database, its schema, and what the log says beyond rows."""

from __future__ import annotations

import asyncio
import random
from contextlib import closing
from dataclasses import replace

import pytest

from heavylift.errors import (
    ConflictError,
    IntegrityError,
    NotFoundError,
    PermanentError,
    TransientError,
)
from heavylift.tables.engine import Work
from heavylift.tables.mysql.moving import TwinEngine
from heavylift.tables.wiring import lag_reader
from tests.support.mysql_family import FAMILY, FAMILY_CHANGES, FAMILY_TABLES, change_at_random
from tests.support.mysql_twin import MysqlTwin
from tests.support.mysql_writer import LEDGER, TABLES, MysqlWriter

ENGINE = TwinEngine()
ALL_TYPES = """CREATE TABLE t (id int unsigned AUTO_INCREMENT PRIMARY KEY, a tinyint, au tinyint unsigned,
 b tinyint(1), s smallint, su smallint unsigned, mi mediumint, mu mediumint unsigned, i int, bi bigint,
 ub bigint unsigned, z int(8) zerofill, d decimal(20,5), d2 decimal(65,30), d3 decimal(9,0), f float,
 fm float(7,3), g double, gm double(12,4), c char(10), v varchar(300), l varchar(20) CHARACTER SET latin1,
 u varchar(20) CHARACTER SET ucs2, uw varchar(20) CHARACTER SET utf16le, sj varchar(20) CHARACTER SET sjis,
 u3 varchar(20) CHARACTER SET utf8mb3, ko text CHARACTER SET euckr, tt tinytext, tx text, mt mediumtext,
 lt longtext, tb tinyblob, bl blob, mb mediumblob, lb longblob, bn binary(5), vb varbinary(10), dt date,
 dtt datetime, dt6 datetime(6), dt3 datetime(3), ts timestamp NULL, ts6 timestamp(6) NULL, tm time,
 tm3 time(3), tm6 time(6), y year, e enum('a','b','ü'), st set('x','y','z'), j json, bt bit(12), b1 bit(1),
 b64 bit(64),
 uu uuid, i4 inet4, i6 inet6, pt point, ge geometry, ls linestring, po polygon, mp multipoint,
 gc geometrycollection, gs int AS (i + 1) STORED, gv int AS (i * 2) VIRTUAL, hidden int INVISIBLE DEFAULT 3,
 `Odd "Na``me %s` int, up timestamp DEFAULT current_timestamp ON UPDATE current_timestamp, KEY k (i),
 UNIQUE KEY both_ (ub, uu), FULLTEXT KEY ft (tx), CHECK (i > -2147483649))"""
NAMES = """a,au,b,s,su,mi,mu,i,bi,ub,z,d,d2,d3,f,fm,g,gm,c,v,l,u,uw,sj,u3,ko,tt,tx,mt,lt,tb,bl,mb,lb,bn,vb,dt,
 dtt,dt6,dt3,ts,ts6,tm,tm3,tm6,y,e,st,j,bt,b1,b64,uu,i4,i6,pt,ge,ls,po,mp,gc,hidden,`Odd "Na``me %s`,up"""
ROWS = rf"""INSERT INTO t ({NAMES}) VALUES (-128,255,7,-32768,65535,-8388608,16777215,-2147483648,
 -9223372036854775808,18446744073709551615,42,-12345.67890,-0.000000000000000000000000000001,-999999999,1.1,
 1234.567,1.1e-300,-12345678.1234,'hé  ','tab\tnl\nbs\\ x''q"','café €','ucs ü','wide ü','ソ表',
 'drei €','한국',
 'tiny','tïxt 🙂 % %s','middle',repeat('long',5000),x'00','\0\\\'"\n',x'5c27',repeat(x'00ff',9000),x'0100',
 x'ff00','1000-01-01','9999-12-31 23:59:59','2020-02-29 01:02:03.000004','2020-01-01 00:00:00.120',
 '2038-01-19 03:14:07','1970-01-01 00:00:01.5','-838:59:59','00:00:00.5','-00:00:00.000001',2155,'ü','x,z',
 '{{"b": 1, "a": [1, 2.50]}}',b'101010101010',b'1',18446744073709551615,
 '123e4567-e89b-12d3-a456-426655440000','255.0.0.0','2001:db8::ff00:42:8329',
 ST_GeomFromText('POINT(1 2)',4326),
 ST_GeomFromText('LINESTRING(0 0,1 1)'),ST_GeomFromText('LINESTRING(0 0,1 1)'),
 ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))'),ST_GeomFromText('MULTIPOINT(1 1,2 2)'),
 ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1))'),9,7,'2001-01-01 01:01:01'),
 (127,0,0,32767,0,8388607,0,2147483647,9223372036854775807,0,0,99999.99999,1e34,1,-1.17549435e-38,-0.001,-0.0,0,
 '','','','','','','','','','','','','','','','',x'',x'','0000-00-00','2020-00-10 00:00:00',
 '0000-00-00 00:00:00','2000-12-31 23:59:59','0000-00-00 00:00:00','2038-01-19 03:14:07.999999','00:00:00',
 '838:59:59','12:00:00.5',0,'','','[]',b'0',b'0',0,'00000000-0000-0000-0000-000000000000','0.0.0.0','::',
 NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'0000-00-00 00:00:00')"""
UUIDS = (
    "INSERT INTO t (uu, i) SELECT uuid(), seq FROM seq_1_to_20"
    " UNION ALL SELECT sys_guid(), -seq FROM seq_1_to_20"
)


@pytest.fixture
def databases(twin: MysqlTwin) -> MysqlTwin:
    return twin


@pytest.mark.long
def test_every_type_arrives_by_snapshot_and_by_the_log(databases: MysqlTwin) -> None:
    numbers = (
        "INSERT INTO t (g, f, d) SELECT (rand() - 0.5) * pow(10, cast(seq % 600 AS signed) - 300),"
        " rand() * pow(10, cast(seq % 60 AS signed) - 30), (rand() - 0.5) * 1e6 FROM seq_1_to_500"
    )
    databases.begin(ALL_TYPES, ROWS, "INSERT INTO t () VALUES ()", numbers, UUIDS)
    databases.assert_equal("t")
    databases.assert_same_definitions("t")
    databases.assert_proved()
    later = ROWS.replace("18446744073709551615,42", "7,42").replace(
        "9223372036854775807,0,", "9223372036854775807,1,"
    )
    databases.on_source(
        later,
        numbers,
        UUIDS,
        "UPDATE t SET i = 5, st = 'y,z' WHERE id = 1",
        "DELETE FROM t WHERE id = 3",
        "SET sql_mode = 'ALLOW_INVALID_DATES'",
        "INSERT INTO t (dt) VALUES ('2021-02-31')",
    )
    record = databases.sync()
    assert (record.inserts, record.updates, record.deletes) == (543, 1, 1)
    databases.assert_equal("t")
    databases.assert_proved(frozen=False)
    databases.on_target("UPDATE t SET g = g + 1 WHERE id = 7; ")
    databases.on_target("DELETE FROM t WHERE id = 8")
    compared = ENGINE.compare(databases.request(), Work(), frozen=True)
    assert {(each.kind, each.key["id"]) for each in compared.differences} == {
        ("different", "7"),
        ("missing", "8"),
    }


def test_a_database_moves_while_it_is_written_to(databases: MysqlTwin) -> None:
    databases.on_source(*LEDGER)
    request = databases.request(range_bytes=16384, batch_changes=300)
    with MysqlWriter(databases, seed=1) as writer:
        writer.wait_for(150)
        assert ENGINE.snapshot(request, Work()).rows > 0
        writer.wait_for(writer.commits + 150)
        assert ENGINE.sync(request, Work()).caught_up
        databases.assert_proved(frozen=False)
        writer.wait_for(writer.commits + 50)
    drained = ENGINE.drain(request, Work(), within_seconds=60)
    assert (drained.reached, drained.findings) == (True, ())
    databases.assert_equal(*TABLES)
    databases.assert_same_definitions(*TABLES)
    databases.assert_proved()
    (highest,) = databases.on_source("SELECT coalesce(max(id), 0) FROM account")[0]
    assert drained.sequences[f"{databases.schema}.account.id"] > highest
    databases.on_target("INSERT INTO account (owner) VALUES ('new')")
    assert databases.on_target("SELECT max(id) FROM account")[0][0] > highest + 1
    status = ENGINE.status(request)
    assert (status.state, status.slot_state, status.lag_bytes) == ("streaming", "reserved", 0)
    assert ENGINE.end(request).state == "ended"


@pytest.mark.long
def test_keys_that_differ_in_case_and_rows_without_a_key(databases: MysqlTwin) -> None:
    databases.begin(
        "CREATE TABLE k (a varchar(10) PRIMARY KEY, v int UNIQUE)",
        "CREATE TABLE plain (a varchar(10) PRIMARY KEY, v int)",
        "CREATE TABLE n (a int, b varchar(10), l varchar(9) CHARACTER SET latin1, e enum('x','y'), f float,"
        " d datetime(3), y varbinary(9), g point, i inet6)",
        "INSERT INTO k VALUES ('a', 1), ('b', 2), ('ß', 3)",
        "INSERT INTO plain SELECT * FROM k",
        "INSERT INTO n (a, b) VALUES (1, 'x'), (1, 'x'), (1, 'X'), (2, NULL)",
        "INSERT INTO n VALUES (9, 'it''s', 'é\\\\', 'y', 0.1, '2020-01-01 00:00:00.5', x'00ff27',"
        " point(1, 2), '::1')",
    )
    databases.on_source(
        "UPDATE k SET a = 'A' WHERE a = 'a'",
        "UPDATE plain SET a = 'A' WHERE a = 'a'",
        "UPDATE plain SET a = 'B' WHERE a = 'b'",
        "UPDATE plain SET a = 'b' WHERE a = 'B'",
        "UPDATE k SET v = 9 WHERE v = 1",
        "UPDATE k SET v = 1 WHERE v = 2",
        "UPDATE k SET v = 2 WHERE v = 9",
        "INSERT INTO n SELECT * FROM n",
        "DELETE FROM n WHERE a = 1 AND b = BINARY 'X' LIMIT 1",
        "UPDATE n SET b = 'q' WHERE a = 2 LIMIT 1",
        "DELETE FROM n WHERE a = 9 LIMIT 1",
    )
    databases.sync()
    databases.assert_equal("k", "plain", "n")
    databases.assert_proved()
    databases.on_target("INSERT INTO n (a, b) VALUES (1, 'x'), (1, 'x')")
    compared = ENGINE.compare(databases.request(), Work(), frozen=True)
    assert {each.table: each.extra for each in compared.tables if each.extra} == {f"{databases.schema}.n": 2}


@pytest.mark.long
def test_what_foreign_keys_do_silently_is_done_on_the_target(databases: MysqlTwin) -> None:
    databases.begin(*FAMILY)
    databases.on_source(*FAMILY_CHANGES)
    databases.sync()
    databases.assert_equal(*FAMILY_TABLES)
    databases.assert_same_definitions(*FAMILY_TABLES)
    databases.assert_proved()


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_families_that_change_at_random_end_equal(databases: MysqlTwin, seed: int) -> None:
    chance = random.Random(seed)
    databases.begin(*FAMILY)
    for _ in range(4):
        change_at_random(databases, chance, 80)
        databases.sync(batch_changes=chance.choice([7, 40, 20_000]))
        databases.assert_equal(*FAMILY_TABLES)
    databases.assert_proved()


def test_the_preflight_names_what_stands_in_the_way(databases: MysqlTwin) -> None:
    databases.on_source(
        "CREATE TABLE bad (id int PRIMARY KEY, c varchar(300) COMPRESSED)",
        "CREATE TABLE mine (a int) ENGINE = MyISAM",
        "CREATE TABLE old (a int PRIMARY KEY) WITH SYSTEM VERSIONING",
        "CREATE TABLE there (a int PRIMARY KEY)",
    )
    databases.anywhere_on_target(
        f"CREATE DATABASE {databases.schema}", f"CREATE TABLE {databases.schema}.there (b int)"
    )
    record = ENGINE.preflight(databases.request(), Work())
    assert {each.rule for each in record.findings if each.severity.value == "blocker"} == {
        "column-type", "table-engine", "table-kind", "target-occupied",
    }  # fmt: skip
    same = databases.request()
    itself = replace(same, target=replace(same.target, connection=databases.source))
    assert "same-server" in {each.rule for each in ENGINE.preflight(itself, Work()).findings}
    with pytest.raises(ConflictError, match="HL-6110"):
        ENGINE.snapshot(databases.request(), Work())


@pytest.mark.long
def test_a_row_that_the_target_does_not_take_is_named(databases: MysqlTwin) -> None:
    databases.on_source("CREATE TABLE k (id int PRIMARY KEY, b longblob)", "INSERT INTO k VALUES (1, NULL)")
    limit = databases.anywhere_on_target("SELECT @@global.max_allowed_packet")[0][0]
    databases.on_source("UPDATE k SET b = repeat('x', 2000000)")
    databases.anywhere_on_target("SET GLOBAL max_allowed_packet = 1048576")
    try:
        with pytest.raises(IntegrityError, match="HL-6471"):
            ENGINE.snapshot(databases.request(), Work())
    finally:
        databases.anywhere_on_target(f"SET GLOBAL max_allowed_packet = {limit}")
    ENGINE.snapshot(databases.request(), Work())
    databases.assert_equal("k")


@pytest.mark.long
def test_a_snapshot_taken_anew_leaves_nothing_of_the_first(databases: MysqlTwin) -> None:
    databases.begin(
        "CREATE TABLE k (id int AUTO_INCREMENT PRIMARY KEY, v int)",
        "CREATE VIEW v AS SELECT id FROM k",
        "INSERT INTO k (v) VALUES (1)",
    )
    databases.on_source("RESET MASTER", "INSERT INTO k (v) VALUES (2)")
    with pytest.raises(PermanentError, match="HL-6420"):
        databases.sync()
    ENGINE.snapshot(databases.request(anew=True), Work())
    databases.assert_equal("k")
    assert databases.on_target("SELECT count(*) FROM v") == [(2,)]


def test_two_runs_never_both_apply(databases: MysqlTwin) -> None:
    databases.begin("CREATE TABLE k (id int PRIMARY KEY)")
    request = databases.request()
    target = ENGINE.product.connect(request, "test")
    with closing(target), target.leased(request.stream) as lease:
        with pytest.raises(TransientError, match="HL-6020"):
            databases.sync()
        databases.anywhere_on_target("UPDATE heavylift.stream SET epoch = epoch + 1")
        with pytest.raises(ConflictError, match="HL-6022"), target.transaction():
            target.demand(lease)


def test_the_lag_is_told_without_an_engine(databases: MysqlTwin) -> None:
    databases.begin("CREATE TABLE k (id int PRIMARY KEY)")
    look = lag_reader(databases.source)
    stream = databases.request().stream
    databases.sync()
    lag = asyncio.run(look(databases.source, databases.target, stream))
    assert (lag.state, lag.lag_bytes, lag.seconds) == ("streaming", 0, 0.0)
    databases.on_source("INSERT INTO k SELECT seq FROM seq_1_to_1000")
    lag = asyncio.run(look(databases.source, databases.target, stream))
    assert lag.lag_bytes > 1000
    with pytest.raises(NotFoundError, match="HL-6021"):
        asyncio.run(look(databases.source, databases.target, "no/such/forward"))
