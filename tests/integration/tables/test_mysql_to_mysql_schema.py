"""MySQL to MySQL: definitions before, while and after rows move, code, and what fires when."""

from __future__ import annotations

import pytest

from heavylift.errors import ConflictError
from heavylift.tables.engine import Work
from heavylift.tables.mysql.moving import TwinEngine
from tests.support.mysql_family import FAMILY
from tests.support.mysql_twin import MysqlTwin

pytestmark = pytest.mark.long

ENGINE = TwinEngine()


@pytest.fixture
def databases(twin: MysqlTwin) -> MysqlTwin:
    return twin


def test_a_part_of_a_database_moves_without_what_refers_to_the_rest(databases: MysqlTwin) -> None:
    databases.on_source(
        *FAMILY,
        "CREATE VIEW both_ AS SELECT p.code, c.v FROM p JOIN c ON c.p = p.id",
        "CREATE TRIGGER elsewhere BEFORE INSERT ON p FOR EACH ROW SET NEW.code = 'x'",
    )
    request = databases.request(tables=("*.c", "*.g"))
    record = ENGINE.snapshot(request, Work())
    left = {each.subject for each in record.findings if each.rule == "schema-not-carried"}
    assert left == {f"foreign key {databases.schema}.c.cp", f"view {databases.schema}.both_"}
    databases.on_source("UPDATE c SET n = n + 10 WHERE p < 5", "DELETE FROM c WHERE p = 7")
    ENGINE.sync(request, Work())
    databases.assert_equal("c", "g")
    drained = ENGINE.drain(request, Work(), within_seconds=60)
    assert [each.subject for each in drained.findings] == [f"trigger {databases.schema}.elsewhere"]
    assert {row[0] for row in databases.on_target("SHOW TABLES")} == {"c", "g"}


def test_truncate_and_added_columns_are_followed(databases: MysqlTwin) -> None:
    databases.begin("CREATE TABLE k (id int PRIMARY KEY, v int)", "INSERT INTO k VALUES (1, 1), (2, 2)")
    databases.on_source(
        "TRUNCATE TABLE k",
        "INSERT INTO k VALUES (3, 3)",
        "ALTER TABLE k ADD COLUMN w varchar(5) CHARACTER SET latin1 DEFAULT 'a''b' AFTER id, ADD x int",
        "INSERT INTO k VALUES (4, 'q', 4, 5)",
        "ALTER TABLE k ADD INDEX (v)",
        "CREATE TABLE more (id int PRIMARY KEY, u int, UNIQUE KEY (u))",
        "INSERT INTO more VALUES (1, 1)",
        "CREATE VIEW seen AS SELECT * FROM k",
    )
    record = databases.sync()
    assert record.truncates == 1
    assert len(record.schema_changes) == 3
    assert [each.rule for each in record.findings] == ["definition-not-followed"]
    databases.assert_equal("k", "more")
    databases.assert_same_definitions("more")
    databases.on_source("INSERT INTO more VALUES (2, 2)", "DELETE FROM k WHERE id = 3")
    databases.sync()
    databases.assert_equal("k", "more")
    databases.assert_proved()


@pytest.mark.parametrize(
    "statement", ["ALTER TABLE k MODIFY v varchar(10)", "ALTER TABLE k DROP COLUMN v", "RENAME TABLE k TO k2"]
)
def test_other_definitions_stop_the_stream_until_the_table_is_copied_anew(
    databases: MysqlTwin, statement: str
) -> None:
    databases.begin(
        "CREATE TABLE k (id int PRIMARY KEY, v int)",
        "CREATE TABLE other (id int PRIMARY KEY)",
        "INSERT INTO k VALUES (1, 1)",
    )
    databases.on_source("INSERT INTO k VALUES (2, 2)", statement, "INSERT INTO other VALUES (1)")
    for _ in range(2):
        with pytest.raises(ConflictError) as stopped:
            databases.sync()
        assert stopped.value.code == "6430"
    assert databases.on_target("SELECT count(*) FROM other") == [(0,)]
    remedy = str(stopped.value)
    statements = remedy[remedy.index("DROP TABLE IF EXISTS") : remedy.index(" Retry:")].rstrip(".")
    databases.on_target(*statements.split("; "))
    databases.sync()
    databases.assert_proved()
    assert databases.on_target("SELECT count(*) FROM other") == [(1,)]


CODE = (
    "CREATE TABLE k (id int AUTO_INCREMENT PRIMARY KEY, v int, done int DEFAULT 0)",
    "CREATE TABLE log (id int AUTO_INCREMENT PRIMARY KEY, k int,"
    " CONSTRAINT lk FOREIGN KEY (k) REFERENCES k (id))",
    "CREATE SEQUENCE numbers START WITH 5",
    "CREATE TABLE numbered (id int PRIMARY KEY DEFAULT (nextval(numbers)), v int)",
    "CREATE VIEW above AS SELECT * FROM below_",
    "CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN n * 2",
    "CREATE PROCEDURE put(n int) BEGIN INSERT INTO k (v) VALUES (n); SELECT ';;' AS `odd;\n`; END",
    "CREATE TRIGGER told AFTER INSERT ON k FOR EACH ROW BEGIN INSERT INTO log (k) VALUES (NEW.id); END",
    "CREATE EVENT often ON SCHEDULE EVERY 1 HOUR DO INSERT INTO k (v) VALUES (-1)",
    "INSERT INTO k (v) VALUES (1), (2)",
    "INSERT INTO numbered (v) VALUES (1), (2)",
)
BELOW = "CREATE VIEW below_ AS SELECT twice(id) AS id2, v FROM k"


def test_code_comes_too_and_triggers_fire_once(databases: MysqlTwin) -> None:
    tables, code = CODE[:4], CODE[5:]
    databases.on_source(*tables, code[0], BELOW, CODE[4], *code[1:])
    request = databases.request()
    ENGINE.snapshot(request, Work())
    assert databases.on_target("SELECT id2 FROM above ORDER BY 1") == [(2,), (4,)]
    assert databases.on_target("SHOW TRIGGERS") == []
    databases.on_source("INSERT INTO k (v) VALUES (3)", "UPDATE k SET v = 4 WHERE id = 1")
    databases.sync()
    databases.assert_equal("k", "log")
    for _ in range(2):
        drained = ENGINE.drain(request, Work(), within_seconds=60)
        assert drained.reached
    (event,) = databases.on_target("SHOW EVENTS")
    assert (event[1], event[10]) == ("often", "DISABLED")
    assert [row[0] for row in databases.on_target("SHOW TRIGGERS")] == ["told"]
    databases.on_source("INSERT INTO k (v) VALUES (9)", "INSERT INTO numbered (v) VALUES (3)")
    databases.sync()
    databases.assert_equal("k", "log", "numbered")
    assert databases.on_target("SHOW TRIGGERS") == []
    ENGINE.drain(request, Work(), within_seconds=60)
    databases.assert_proved()
    databases.on_target("CALL put(5)", "INSERT INTO numbered (v) VALUES (4)")
    assert databases.on_target("SELECT count(*) FROM log") == [(5,)]
    for name in ("put", "twice"):
        kind = "PROCEDURE" if name == "put" else "FUNCTION"
        shown = f"SHOW CREATE {kind} {name}"
        assert databases.on_source(shown)[0][2] == databases.on_target(shown)[0][2]


def test_definers_are_kept_refused_or_given_to_us(databases: MysqlTwin) -> None:
    databases.on_source(
        "CREATE TABLE k (id int PRIMARY KEY)", "CREATE DEFINER = nobody@nowhere VIEW v AS SELECT * FROM k"
    )
    record = ENGINE.preflight(databases.request(), Work())
    assert [each.rule for each in record.findings if each.severity.value == "blocker"] == ["definer"]
    ours = databases.with_target_extra(definers="current")
    assert ENGINE.preflight(ours.request(), Work()).passed
    ENGINE.snapshot(ours.request(), Work())
    assert "heavylift" in str(databases.on_target("SHOW CREATE VIEW v")[0][1])


def test_a_trigger_of_somebody_else_stops_the_stream(databases: MysqlTwin) -> None:
    databases.begin("CREATE TABLE k (id int PRIMARY KEY, v int)")
    databases.on_target("CREATE TRIGGER theirs BEFORE INSERT ON k FOR EACH ROW SET NEW.v = 7")
    databases.on_source("INSERT INTO k VALUES (1, 1)")
    with pytest.raises(ConflictError, match="HL-6480"):
        databases.sync()
    databases.on_target("DROP TRIGGER theirs")
    databases.sync()
    databases.assert_equal("k")


def test_what_a_killed_drain_has_made_is_known_for_ours(databases: MysqlTwin) -> None:
    databases.begin(CODE[0], CODE[1], CODE[7], CODE[8])
    ENGINE.drain(databases.request(), Work(), within_seconds=60)
    noted = (
        "SELECT made FROM heavylift.stream_schema WHERE entry REGEXP 'trigger|event' AND stream LIKE '{}%'"
    )
    as_if_killed = "UPDATE heavylift.stream_schema SET made = 0 WHERE entry REGEXP 'trigger|event'"
    databases.anywhere_on_target(as_if_killed)
    again = ENGINE.drain(databases.request(), Work(), within_seconds=60)
    assert {each.rule for each in again.findings} == {"event-switched-off"}
    stream = databases.request().stream
    assert databases.anywhere_on_target(noted.format(stream)) == [(1,), (1,)]
    databases.anywhere_on_target(as_if_killed)
    databases.on_source("INSERT INTO k (v) VALUES (1)")
    databases.sync()
    databases.assert_equal("k", "log")
