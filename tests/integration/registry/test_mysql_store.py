"""A store in MySQL or MariaDB, as many teams have it: moved into a PostgreSQL store, again and again."""

from __future__ import annotations

import math
import random
import struct
import threading
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pymysql
import pytest

from heavylift.aio import run
from heavylift.errors import ConflictError, IntegrityError
from heavylift.registry.api import is_copied
from heavylift.registry.requests import RegistryPlace
from heavylift.registry.settling import Judgement
from heavylift.registry.store.mysql_rows import database_rows
from heavylift.registry.uris import uri_map
from heavylift.registry.verifying import verification
from heavylift.registry.ways import way_of
from heavylift.registry.work import Work
from sandbox.stack import Stack
from tests.integration.registry.test_sync import A_DAY
from tests.support import history
from tests.support.mysql_store import STAGED, MysqlStore, move, mysql_of
from tests.support.registry_seen import Eyes
from tests.support.registry_team import Team
from tests.support.stores import TwoStores, two_stores
from tests.support.tracking_server import over_store


def test_a_database_arrives_whole(stores: TwoStores, mysql: MysqlStore) -> None:
    request = mysql.beside(stores).request()
    looked = way_of(request).preflight(request)
    assert (looked.path, looked.passed) == ("store", True), looked.findings
    assert looked.source == (
        f"mlflow_mysql ({mysql.connection.host}:{mysql.connection.port}/{mysql.connection.schema})"
    )
    assert not run(is_copied(request))
    record = move(stores, mysql)
    # Of the target alone is it asked: a source that is away does not matter.
    away = replace(request.source, store=replace(mysql.connection, port=9))
    assert run(is_copied(replace(request, source=away)))
    stores.assert_equal()
    assert record.leftovers == ()
    assert stores.on_target(STAGED) == [(True,)]
    (made,) = stores.on_target(
        "INSERT INTO experiments (name, lifecycle_stage, workspace) VALUES ('next', 'active', 'default')"
        " RETURNING experiment_id"
    )
    assert made[0] == max(row[0] for row in stores.on_source("SELECT experiment_id FROM experiments")) + 1


@pytest.mark.long
def test_what_a_server_over_it_writes_is_proved_through_both_servers_and_both_databases(
    store_sandbox: Stack, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        stores = stack.enter_context(two_stores(store_sandbox.env, tmp_path.as_uri(), sizes=None))
        mysql = stack.enter_context(mysql_of(store_sandbox))
        there, files = stores.target, tmp_path / "files"
        address = f"postgresql://{there.login}:{there.password}@{there.host}:{there.port}/{there.schema}"
        source = stack.enter_context(over_store(tmp_path / "over-mysql", mysql.url, files))
        target = stack.enter_context(over_store(tmp_path / "over-pg", address, files))
        history.fill(source)
        team = Team(source, 7)
        request = replace(
            stores.request(uris=uri_map([]), deletes="propagate", artifacts=False),
            source=RegistryPlace(source.connection, mysql.connection),
            target=RegistryPlace(target.connection, stores.target),
        )
        way = way_of(request)
        assert way.prove is not None
        for act in ("copy", "sync"):
            team.work(40)
            way.move(request, Work(), act)  # type: ignore[arg-type]
            seen = run(way.compare(request, Work(), Judgement()))
            proof = verification(request, seen, way.prove(request), 0.0)
            assert proof.passed, (proof.statement, proof.differences, team.done)
            assert Eyes(target, own=True).see() == Eyes(source, own=True).see()
            assert way.move(request, Work(), "sync").written == 0


def test_what_changed_follows_and_nothing_new_writes_nothing(stores: TwoStores, mysql: MysqlStore) -> None:
    move(stores, mysql)
    writes = stores.writes()
    assert move(stores, mysql, "sync").written == 0
    assert stores.writes() == writes
    stores.on_source(A_DAY)
    mysql.fill(stores.source)
    assert move(stores, mysql, "sync", deletes="propagate").written > 30
    stores.assert_equal()
    request = mysql.beside(stores).request()
    assert {each.equal for each in way_of(request).prove(request)} == {True}  # type: ignore[misc]
    stores.on_target("UPDATE params SET value = value || '!' WHERE run_uuid = md5('run0')")
    proofs = way_of(request).prove(request)  # type: ignore[misc]
    assert [each.table for each in proofs if not each.equal] == ["params"]
    with pytest.raises(ConflictError, match="HL-7112"):
        move(stores, mysql, "sync")


@pytest.mark.long
def test_a_database_that_servers_write_to_is_read_as_of_one_moment(
    stores: TwoStores, mysql: MysqlStore
) -> None:
    stop = threading.Event()
    marks = (
        "UPDATE runs SET name = CONCAT('moment ', run_uuid, '/', %s)",
        "UPDATE experiments SET name = CONCAT('moment ', experiment_id, '/', %s)",
    )
    committed: dict[str, datetime] = {}

    def write() -> None:
        with closing(mysql.session()) as session, session.cursor() as cursor:
            number = 0
            while not stop.is_set():
                number += 1
                cursor.execute("START TRANSACTION")
                for mark in marks:
                    cursor.execute(mark, [number])
                cursor.execute("COMMIT")
                committed[str(number)] = datetime.now(UTC)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        record = move(stores, mysql)
    finally:
        stop.set()
        writer.join()
    ((moment,),) = stores.on_target(
        "SELECT DISTINCT split_part(name, '/', 2) FROM (SELECT name FROM runs UNION ALL"
        " SELECT name FROM experiments) n"
    )
    following = committed[str(int(moment) + 2)]
    assert record.source_moment < following, "the record tells of more than was read"


UNFIT = {
    "UPDATE runs SET name = CONCAT('a', CHAR(0), 'hidden words')": "runs.name",
    "UPDATE experiments SET name = _utf8mb4 0x61EDA08061 WHERE experiment_id = 10": "experiments.name",
    "UPDATE params SET value = _utf8mb4 0xEDA080 WHERE `key` = 'param 0'": "params.value",
    "UPDATE assessments SET valid = 7": "assessments.valid",
    "INSERT INTO sql_trace_rollup_rebuild_queue VALUES (10, '2026-00-10', 'x')": (
        "sql_trace_rollup_rebuild_queue.rollup_day"
    ),
    "INSERT INTO jobs (id, creation_time, params, status, retry_count, last_update_time, workspace)"
    " VALUES ('j', 1, '{}', 1, 0, 1, 'default')": "jobs.job_name",
    "ALTER TABLE webhooks MODIFY url varchar(600) NOT NULL; UPDATE webhooks SET url = REPEAT('u', 501)": (
        "webhooks.url"
    ),
    "ALTER TABLE runs MODIFY start_time bigint unsigned;"
    " UPDATE runs SET start_time = 18446744073709551615": "runs.start_time",
}


@pytest.mark.long
def test_values_that_postgresql_does_not_take_are_named_together_before_anything_is_written(
    stores: TwoStores, mysql: MysqlStore
) -> None:
    for statements in UNFIT:
        mysql.sql(*statements.split("; "))
    for act in (
        lambda: move(stores, mysql),
        lambda: way_of(mysql.beside(stores).request()).preflight(mysql.beside(stores).request()),
    ):
        with pytest.raises(ConflictError, match="HL-9595") as caught:
            act()
    told = str(caught.value)
    for column in UNFIT.values():
        assert f"{column}: " in told
    assert "hidden words" not in told
    assert "experiment_id 10" in told
    assert stores.on_target("SELECT count(*) FROM runs") == [(0,)]
    assert stores.on_target(STAGED) == [(True,)]


@pytest.mark.long
def test_a_version_of_a_model_in_another_spelling_is_named_and_mended_by_an_update(
    stores: TwoStores, mysql: MysqlStore
) -> None:
    mysql.sql("UPDATE model_versions SET name = UPPER(name) WHERE name = 'model-0' AND version = 1")
    with pytest.raises(ConflictError, match=r"model_versions.workspace, name: .*'MODEL-0'.*HL-9595"):
        move(stores, mysql)
    assert stores.on_target("SELECT count(*) FROM runs") == [(0,)]
    assert stores.on_target(STAGED) == [(True,)]
    mysql.sql("UPDATE model_versions SET name = LOWER(name) WHERE name = 'model-0'")
    move(stores, mysql)
    stores.assert_equal()


def test_numbers_arrive_to_the_last_bit(stores: TwoStores, mysql: MysqlStore) -> None:
    chance = random.Random(1)
    doubles = [struct.unpack("<d", chance.randbytes(8))[0] for _ in range(3000)]
    doubles = [each for each in doubles if math.isfinite(each)]
    doubles += [
        5e-324,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        -1e22,
        0.1,
        1e16,
        123456789012345680.0,
    ]
    ((run_uuid,),) = mysql.sql("SELECT run_uuid FROM runs LIMIT 1")
    with closing(mysql.session()) as session, session.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO metrics (`key`, value, timestamp, run_uuid, step, is_nan)"
            " VALUES ('n', %s, 1, %s, %s, 0)",
            [(value, run_uuid, step) for step, value in enumerate(doubles)],
        )
        cursor.execute(
            "INSERT INTO budget_policies (budget_policy_id, budget_unit, budget_amount, duration_unit,"
            " duration_value, target_scope, budget_action, created_at, last_updated_at, workspace)"
            " VALUES ('b', 'USD', 0.1, 'DAYS', 1, 'GLOBAL', 'ALERT', 1, 1, 'default')"
        )
        # By the server's own binary form, which no text has a part in.
        cursor.execute(
            "SELECT step, LOWER(HEX(REVERSE(SUBSTRING(ST_AsBinary(POINT(value, 0)), 6, 8)))) FROM metrics"
            " WHERE `key` = 'n'"
        )
        held = dict(cursor.fetchall())
    move(stores, mysql)
    found = stores.on_target("SELECT step, encode(float8send(value), 'hex') FROM metrics WHERE key = 'n'")
    assert dict(found) == held
    assert held == {step: struct.pack(">d", value).hex() for step, value in enumerate(doubles)}
    assert stores.on_target("SELECT budget_amount FROM budget_policies") == [(0.1,)]


@pytest.mark.long
def test_texts_arrive_to_the_letter_whatever_they_are_kept_in(stores: TwoStores, mysql: MysqlStore) -> None:
    odd = [
        "café € ß",
        "tab\tline\nreturn\r",
        "back\\slash \\N \\.",
        "quote ' \" `",
        "end  ",
        "",
        "😀 漢字 ü" * 500,
    ]
    ((run_uuid,),) = mysql.sql("SELECT run_uuid FROM runs LIMIT 1")
    mysql.sql("ALTER TABLE tags MODIFY value varchar(8000) CHARACTER SET latin1 COLLATE latin1_german2_ci")
    with closing(mysql.session()) as session, session.cursor() as cursor:
        for table, texts in (("params", odd), ("tags", odd[:-1])):
            cursor.executemany(
                f"INSERT INTO {table} (`key`, value, run_uuid) VALUES (%s, %s, %s)",
                [(f"odd {number}", text, run_uuid) for number, text in enumerate(texts)],
            )
    move(stores, mysql)
    query = "SELECT value FROM {} WHERE starts_with(key, 'odd ') ORDER BY key"
    assert [row[0] for row in stores.on_target(query.format("params"))] == odd
    assert [row[0] for row in stores.on_target(query.format("tags"))] == odd[:-1]


@pytest.mark.long
def test_tables_do_not_change_while_they_are_read_and_what_is_no_text_is_told(mysql: MysqlStore) -> None:
    mysql.sql("UPDATE experiments SET name = _utf8mb4 0x61EDA08061 WHERE experiment_id = 10")
    with database_rows(mysql.connection) as rows:
        rows.tables(["experiments"])
        with pytest.raises(pymysql.OperationalError, match="Lock wait timeout"):
            mysql.sql("SET lock_wait_timeout = 1", "ALTER TABLE experiments ADD COLUMN more int")
        with pytest.raises(IntegrityError, match=r"table experiments .*HL-9598"):
            list(rows.rows("experiments", ["experiment_id", "name"]))
    mysql.sql("SET lock_wait_timeout = 1", "ALTER TABLE experiments ADD COLUMN more int")
