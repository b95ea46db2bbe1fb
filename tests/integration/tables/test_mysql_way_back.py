"""MySQL to MySQL and back: what is written on the target after the switch is on the source at a rollback."""

from __future__ import annotations

import random
import subprocess
from contextlib import suppress

import pytest

from heavylift.errors import ConflictError, PermanentError, TransientError
from heavylift.tables.engine import Work
from heavylift.tables.mysql.moving import TwinEngine
from heavylift.tables.requests import TablesRequest
from sandbox.stack import Stack
from tests.support.fault_rounds import seeds
from tests.support.mysql_family import FAMILY, FAMILY_TABLES, change_at_random
from tests.support.mysql_faults import patiently, restart
from tests.support.mysql_twin import MysqlTwin
from tests.support.mysql_writer import LEDGER, TABLES, MysqlWriter
from tests.support.table_worker import RETRY
from tests.support.table_worker import start as start_act

pytestmark = pytest.mark.long

ENGINE = TwinEngine()
TRIGGERED = (
    "CREATE TABLE item (id int AUTO_INCREMENT PRIMARY KEY, n int)",
    "CREATE TABLE tally (id int PRIMARY KEY, total int)",
    "INSERT INTO tally VALUES (1, 0)",
    "CREATE TRIGGER first_ AFTER INSERT ON item FOR EACH ROW UPDATE tally SET total = total + new.n",
    "CREATE TRIGGER second_ AFTER INSERT ON item FOR EACH ROW UPDATE tally SET total = total * 2",
    "INSERT INTO item (n) VALUES (3)",
)


def switch(twin: MysqlTwin, **options: object) -> TablesRequest:
    """Drain, prepare the way back; return the request that leads back."""
    request = twin.request(**options)
    assert ENGINE.drain(request, Work(), within_seconds=60).reached
    ENGINE.prepare_reverse(request, Work())
    return request.reversed()


def test_what_is_written_after_the_switch_flows_back(twin: MysqlTwin) -> None:
    twin.begin(*LEDGER, "INSERT INTO account (owner) VALUES ('first')")
    back = switch(twin)
    again = ENGINE.prepare_reverse(twin.request(), Work())
    with MysqlWriter(twin.flipped_session(), seed=5) as writer:
        writer.wait_for(80)
        # Preparing again does not move the place from which changes are kept.
        assert ENGINE.prepare_reverse(twin.request(), Work()).consistent_position == again.consistent_position
        assert ENGINE.sync(back, Work()).caught_up
        compared = ENGINE.compare(back, Work(), frozen=False)
        assert (compared.mode, compared.difference_count) == ("snapshot", 0)
        writer.wait_for(writer.commits + 20)
    assert ENGINE.status(back).lag_bytes
    drained = ENGINE.drain(back, Work(), within_seconds=60)
    assert (drained.reached, drained.findings) == (True, ())
    twin.assert_equal(*TABLES)
    compared = ENGINE.compare(back, Work(), frozen=True)
    assert (compared.difference_count, compared.sequences_behind) == (0, ())
    # Nothing goes round: what came back is not sent forth, and what came forth not back.
    forth = ENGINE.sync(twin.request(), Work())
    assert (forth.inserts + forth.updates + forth.deletes, forth.transactions_skipped > 0) == (0, True)
    once_more = ENGINE.sync(back, Work())
    assert once_more.inserts + once_more.updates + once_more.deletes == 0
    (highest,) = twin.on_target("SELECT max(id) FROM account")[0]
    twin.on_source("INSERT INTO account (owner) VALUES ('after the rollback')")
    assert twin.on_source("SELECT max(id) FROM account")[0][0] > highest
    assert ENGINE.sync(twin.request(), Work()).inserts == 1
    twin.assert_equal(*TABLES)
    for request in (twin.request(), back):
        assert ENGINE.status(request).state == "streaming"
    assert ENGINE.end(back).state == "ended"


def test_both_sides_may_be_written_to_without_a_loop(twin: MysqlTwin) -> None:
    twin.begin("CREATE TABLE k (id int PRIMARY KEY, side varchar(9))")
    back = switch(twin)
    twin.on_source("INSERT INTO k VALUES (1, 'source')")
    twin.on_target("INSERT INTO k VALUES (2, 'target')")
    for _ in range(2):
        ENGINE.sync(twin.request(), Work())
        ENGINE.sync(back, Work())
    assert twin.on_source("SELECT * FROM k ORDER BY id") == [(1, "source"), (2, "target")]
    twin.assert_equal("k")


def test_triggers_and_foreign_keys_do_their_work_once(twin: MysqlTwin) -> None:
    twin.begin(*FAMILY, *TRIGGERED)
    back = switch(twin)
    before = twin.on_source("SHOW TRIGGERS")
    chance = random.Random(7)
    change_at_random(twin.flipped_session(), chance, 40)
    twin.on_target("INSERT INTO item (n) VALUES (5)")
    ENGINE.sync(back, Work())
    twin.assert_equal(*FAMILY_TABLES, "item", "tally")
    assert twin.on_source("SELECT * FROM tally") == [(1, (3 * 2 + 5) * 2)]
    assert twin.on_source("SHOW TRIGGERS") == []
    twin.on_target("INSERT INTO item (n) VALUES (1)")
    assert ENGINE.drain(back, Work(), within_seconds=60).reached
    # As they were, in their order, and whose they were.
    kept = [(row[0], row[1], row[2], row[3], row[7]) for row in twin.on_source("SHOW TRIGGERS")]
    assert kept == [(row[0], row[1], row[2], row[3], row[7]) for row in before]
    twin.on_source("INSERT INTO item (n) VALUES (0)")
    assert twin.on_source("SELECT total FROM tally") == [(((3 * 2 + 5) * 2 + 1) * 2 * 2,)]


def test_an_end_without_a_drain_gives_the_triggers_back(twin: MysqlTwin) -> None:
    twin.begin(*TRIGGERED)
    back = switch(twin)
    twin.on_target("INSERT INTO item (n) VALUES (5)")
    ENGINE.sync(back, Work())
    assert twin.on_source("SHOW TRIGGERS") == []
    assert ENGINE.end(back).state == "ended"
    assert len(twin.on_source("SHOW TRIGGERS")) == 2
    # Begun anew, it is a stream like the first.
    ENGINE.prepare_reverse(twin.request(), Work())
    twin.on_target("INSERT INTO item (n) VALUES (7)")
    assert ENGINE.sync(back, Work()).inserts == 1
    twin.assert_equal("item", "tally")


def test_tables_and_columns_that_come_after_the_switch_flow_back(twin: MysqlTwin) -> None:
    twin.on_source("CREATE TABLE k (id int PRIMARY KEY)", "INSERT INTO k VALUES (1)")
    twin.anywhere_on_target(
        f"CREATE DATABASE {twin.schema}", f"CREATE TABLE {twin.schema}.never_moved (a int PRIMARY KEY)"
    )
    twin.begin("SELECT 1")
    back = switch(twin)
    twin.on_target(
        "INSERT INTO never_moved VALUES (1)",
        "ALTER TABLE k ADD COLUMN added int NOT NULL DEFAULT 7",
        "CREATE TABLE late (id int PRIMARY KEY, t text)",
        "INSERT INTO late VALUES (1, 'ü')",
        "INSERT INTO k VALUES (2, 8)",
    )
    record = ENGINE.sync(back, Work())
    assert any("ADD COLUMN" in line for line in record.schema_changes)
    twin.assert_equal("k", "late")
    twin.on_target("UPDATE late SET t = 'later'")
    assert ENGINE.drain(back, Work(), within_seconds=60).reached
    twin.assert_equal("k", "late")
    assert twin.on_source("SHOW TABLES LIKE 'never_moved'") == []
    assert ENGINE.compare(back, Work(), frozen=True).difference_count == 0
    twin.on_source("CREATE TABLE taken (id int PRIMARY KEY)", "INSERT INTO taken VALUES (5)")
    twin.on_target("CREATE TABLE taken (id int PRIMARY KEY)")
    with pytest.raises(ConflictError, match="HL-6443"):
        ENGINE.sync(back, Work())
    assert twin.on_source("SELECT * FROM taken") == [(5,)]


@pytest.mark.long
@pytest.mark.parametrize("seed", seeds(1))
def test_the_way_back_survives_kills_and_restarts(sandbox: Stack, twin: MysqlTwin, seed: int) -> None:
    chance = random.Random(seed)
    twin.begin(*LEDGER)
    back = switch(twin)
    with MysqlWriter(twin.flipped_session(), seed=seed) as writer:
        for number in range(4):
            writer.wait_for(writer.commits + 30)
            process = start_act(
                "sync back", twin.source, twin.target, f"m-{twin.schema}",
                products=("mariadb", "mariadb"), batch_changes=50,
            )  # fmt: skip
            if number == 1:
                restart(sandbox, twin)
            if number == 2:
                restart(sandbox, twin.flipped(), "mysql_target")
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.4, 1.5))
            process.kill()
            _, told = process.communicate()
            assert process.returncode in {0, RETRY, -9}, told
    assert patiently(lambda: ENGINE.drain(back, Work(), within_seconds=60)).reached
    twin.assert_equal(*TABLES)


def test_a_way_back_that_has_lost_log_is_not_begun_anew(twin: MysqlTwin) -> None:
    twin.begin("CREATE TABLE k (id int PRIMARY KEY)")
    back = switch(twin)
    twin.on_target("INSERT INTO k VALUES (1)", "RESET MASTER")
    with pytest.raises(PermanentError, match="HL-6420"):
        ENGINE.sync(back, Work())
    with pytest.raises(PermanentError, match="HL-6048"):
        ENGINE.prepare_reverse(twin.request(), Work())
    assert ENGINE.status(back).state == "invalid"


def test_what_the_targets_log_lacks_is_named_before_the_switch(twin: MysqlTwin) -> None:
    twin.begin("CREATE TABLE k (id int PRIMARY KEY)")
    twin.anywhere_on_target("SET GLOBAL binlog_row_image = 'MINIMAL'")
    try:
        told = ENGINE.preflight(twin.request(), Work()).findings
        assert ("way-back", "warning", "binlog_row_image") in {
            (each.rule, each.severity.value, each.subject) for each in told
        }
        told = ENGINE.preflight(twin.request(reverse=False), Work()).findings
        assert not [each for each in told if each.rule == "way-back"]
        with pytest.raises(ConflictError, match="binlog_row_image"):
            ENGINE.prepare_reverse(twin.request(), Work())
    finally:
        twin.anywhere_on_target("SET GLOBAL binlog_row_image = 'FULL'")
    twin.on_target("DROP TABLE k")
    with pytest.raises(ConflictError, match="HL-6044"):
        ENGINE.prepare_reverse(twin.request(), Work())


@pytest.mark.parametrize(
    "cut_at", ["heavylift.tables.mysql.pool.Pool.run", "heavylift.tables.mysql.twin.state.write_table"]
)
def test_a_new_table_whose_copy_was_cut_off_is_copied_after_all(
    twin: MysqlTwin, monkeypatch: pytest.MonkeyPatch, cut_at: str
) -> None:
    twin.begin("CREATE TABLE k (id int PRIMARY KEY)")
    twin.on_source("CREATE TABLE late (id int PRIMARY KEY)", "INSERT INTO late VALUES (1), (2)")

    def cut(*_: object, **__: object) -> None:
        raise TransientError(
            "copying", got="a cut", expected="none", state="nothing", remedy="run it again", code="6412"
        )

    with monkeypatch.context() as patched:
        patched.setattr(cut_at, cut)
        with pytest.raises(TransientError):
            twin.sync()
    twin.on_source("INSERT INTO late VALUES (3)")
    twin.sync()
    twin.assert_equal("k", "late")
